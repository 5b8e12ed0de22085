"""Folding what a line reader gives: which lines count, which are errors, what the tail is."""

import msgspec

from rolloutd.records import Summary
from rolloutd.rollout.fold import fold
from rolloutd.rollout.items import (
    InvalidLine,
    LineError,
    decode,
    decode_legacy,
    decode_legacy_header,
    is_blank,
    refuse_invalid_utf8,
)
from rolloutd.rollout.lines import LineReader
from rolloutd.rollout.opaque import OPAQUE_BYTES, is_opaque


def fold_lines(reader: LineReader, summary: Summary) -> None:
    """Fold every complete line that the reader gives; count what is skipped, by reason."""
    lines = errors = blank = 0
    for line in reader:
        lines += 1
        if len(line) >= OPAQUE_BYTES and is_opaque(line):
            continue
        try:
            if not reader.ascii:
                refuse_invalid_utf8(line)
            item = decode_legacy(line) if summary.legacy else decode(line)
            if item is not None:
                fold(summary, item)
        except InvalidLine as invalid:
            if is_blank(line):
                blank += 1
            elif not (_is_first(summary, reader, lines - blank) and _begins_legacy(line, summary)):
                errors += 1
                _count(summary, invalid.reason)
    if reader.oversized:
        _count(summary, LineError.OVERSIZED, reader.oversized)
    summary.items += lines - errors - blank
    summary.lines += lines + reader.oversized


def _is_first(summary: Summary, reader: LineReader, lines: int) -> bool:
    """Whether the line at hand, the `lines`th of this reading, is the file's first."""
    return lines == 1 and not (summary.items or summary.parse_errors or reader.oversized)


def _begins_legacy(line: memoryview, summary: Summary) -> bool:
    try:
        refuse_invalid_utf8(line)
        header = decode_legacy_header(line)
        if header is None:
            return False
        fold(summary, header)
    except InvalidLine:
        return False
    return True


def fold_tail(reader: LineReader, summary: Summary) -> Summary | None:
    """Fold a last line that has no newline yet, if it is an item already.

    Returns the summary without it, to go on from when the line is complete, or None if nothing
    was folded. Nothing is counted as an error: an unfinished line is the end of the data.
    """
    if not reader.tail:
        return None
    line = memoryview(reader.tail)
    resume = copy_of(summary)
    try:
        refuse_invalid_utf8(line)
        item = decode_legacy(line) if summary.legacy else decode(line)
        if item is not None:
            fold(summary, item)
    except InvalidLine:
        if not (_is_first(summary, reader, 1) and _begins_legacy(line, summary)):
            return None
    summary.items += 1
    return resume


def _count(summary: Summary, reason: LineError, count: int = 1) -> None:
    summary.parse_errors[reason] = summary.parse_errors.get(reason, 0) + count


def copy_of(summary: Summary) -> Summary:
    """A summary that can be folded further while the given one stays."""
    return msgspec.convert(msgspec.to_builtins(summary), Summary)
