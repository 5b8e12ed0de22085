"""How deep a line is nested.

The decoder goes as deep as there is room on the stack, and how much that is depends on who calls
it. A limit far from there makes it a property of the line, whoever reads it, in one go or in two.
"""

import re

MOST_LEVELS = 512
LEAST_BYTES = 2 * MOST_LEVELS
"""No shorter line is nested deeper than that."""

_PORTION_BYTES = 1024 * 1024
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[][{}]', re.DOTALL)


def is_too_deep(line: bytes | memoryview) -> bool:
    """Whether there are more than `MOST_LEVELS` objects and arrays within each other."""
    if len(line) < LEAST_BYTES or _openings(line) <= MOST_LEVELS:
        return False
    level = 0
    for token in _TOKEN.finditer(line):
        match token[0]:
            case b"[" | b"{":
                level += 1
                if level > MOST_LEVELS:
                    return True
            case b"]" | b"}":
                level -= 1
    return False


def _openings(line: bytes | memoryview) -> int:
    """How many brackets open, those in strings too: mostly too few to look closer."""
    count = 0
    for start in range(0, len(line), _PORTION_BYTES):
        portion = bytes(line[start : start + _PORTION_BYTES])
        # Where there are few, taking them out is ten times as fast as counting them.
        count += (
            2 * len(portion) - len(portion.replace(b"{", b"")) - len(portion.replace(b"[", b""))
        )
    return count
