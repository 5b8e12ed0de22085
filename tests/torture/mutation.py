"""Rollouts gone wrong: real lines with their structure, or their bytes, changed at random."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

# What a value may turn into: other types, edges of number ranges, texts that trip readers.
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    2**64,
    1.5,
    -0.0,
    1e308,
    "",
    " ",
    "[Image]",
    "## My request for Codex:",
    "\u2028\u2029\x85",
    "\x00",
    "\U0001f980" * 50,
    "x" * 5000,
    "2026-01-02T03-04-05",
    "00000000-0000-4000-8000-00000000000A",
    "urn:uuid:00000000-0000-4000-8000-000000000001",
    [],
    {},
    [[[[]]]],
    {"type": "read-only"},
)
# Spellings that only bytes can have.
_BYTES = (
    b"\xff",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\0",
    b"\r",
    b"\\ud800",
    b"1e999",
)
_KINDS = ("session_meta", "turn_context", "event_msg", "response_item", "compacted", "world_state")
_DEPTH = 2000


class Mutator:
    """Makes rollouts out of a corpus of real ones; the same generator gives the same again."""

    def __init__(self, rng: random.Random, corpus: Sequence[bytes]) -> None:
        self._rng = rng
        self._corpus = corpus
        self._of_files: tuple[Callable[[list[bytes]], None], ...] = (
            self._drop,
            self._repeat,
            self._swap,
            self._graft,
            self._break_in_two,
            self._join,
            self._blank,
            self._noise,
        )
        self._of_lines: tuple[Callable[[bytes], bytes], ...] = (
            self._change_value,
            self._change_value,
            self._change_value,
            self._remove_key,
            self._repeat_key,
            self._respell,
            self._retype,
            self._flip,
            self._insert,
            self._cut,
            self._deepen,
        )

    def rollout(self) -> bytes:
        """The content of one file, a few changes away from a real one."""
        lines = self._rng.choice(self._corpus).split(b"\n")
        for _ in range(self._rng.choice((1, 1, 2, 3, 5, 9))):
            if self._rng.random() < 0.3:
                self._rng.choice(self._of_files)(lines)
            elif lines:
                at = self._near_the_start(lines)
                lines[at] = self._rng.choice(self._of_lines)(lines[at])
        content = b"\n".join(lines)
        if self._rng.random() < 0.1:
            content = content[: self._rng.randrange(len(content) + 1)]
        return content

    def _near_the_start(self, lines: Sequence[bytes]) -> int:
        # What begins a file says most about its thread.
        most = len(lines) if self._rng.random() < 0.5 else min(3, len(lines))
        return self._rng.randrange(most)

    def _drop(self, lines: list[bytes]) -> None:
        if lines:
            del lines[self._near_the_start(lines)]

    def _repeat(self, lines: list[bytes]) -> None:
        if lines:
            lines.insert(self._rng.randrange(len(lines) + 1), self._rng.choice(lines))

    def _swap(self, lines: list[bytes]) -> None:
        if lines:
            one, other = self._near_the_start(lines), self._rng.randrange(len(lines))
            lines[one], lines[other] = lines[other], lines[one]

    def _graft(self, lines: list[bytes]) -> None:
        other = self._rng.choice(self._corpus).split(b"\n")
        lines.insert(self._rng.randrange(len(lines) + 1), self._rng.choice(other))

    def _break_in_two(self, lines: list[bytes]) -> None:
        if lines:
            at = self._near_the_start(lines)
            cut = self._rng.randrange(len(lines[at]) + 1)
            lines[at : at + 1] = [lines[at][:cut], lines[at][cut:]]

    def _join(self, lines: list[bytes]) -> None:
        if len(lines) > 1:
            at = self._rng.randrange(len(lines) - 1)
            lines[at : at + 2] = [lines[at] + lines[at + 1]]

    def _blank(self, lines: list[bytes]) -> None:
        lines.insert(self._rng.randrange(len(lines) + 1), self._rng.choice((b"", b"  ", b"\r")))

    def _noise(self, lines: list[bytes]) -> None:
        noise = self._rng.randbytes(self._rng.randrange(1, 3000)).replace(b"\n", b"")
        lines.insert(self._rng.randrange(len(lines) + 1), noise)

    def _change_value(self, line: bytes) -> bytes:
        def change(parent: Any, key: Any) -> None:
            parent[key] = self._rng.choice(_VALUES)

        return self._edited(line, change)

    def _remove_key(self, line: bytes) -> bytes:
        def remove(parent: Any, key: Any) -> None:
            del parent[key]

        return self._edited(line, remove)

    def _repeat_key(self, line: bytes) -> bytes:
        key = self._rng.choice((b"type", b"payload", b"timestamp", b"id", b"cwd"))
        value = json.dumps(self._rng.choice(_VALUES)).encode()
        return line.replace(b"{", b'{"%s":%s,' % (key, value), 1)

    def _respell(self, line: bytes) -> bytes:
        record = _decoded(line)
        if record is None:
            return line
        spacing = self._rng.choice(((",", ":"), (" , ", " :\t"), (",", ": ")))
        if isinstance(record, dict) and self._rng.random() < 0.5:
            pairs = list(record.items())
            self._rng.shuffle(pairs)
            record = dict(pairs)
        plain = self._rng.random() < 0.5
        return json.dumps(record, separators=spacing, ensure_ascii=plain).encode(
            errors="surrogatepass"
        )

    def _retype(self, line: bytes) -> bytes:
        one, other = self._rng.choice(_KINDS), self._rng.choice(_KINDS)
        return line.replace(one.encode(), other.encode(), 1)

    def _flip(self, line: bytes) -> bytes:
        changed = bytearray(line)
        for _ in range(self._rng.randrange(1, 4)):
            if changed:
                changed[self._rng.randrange(len(changed))] = self._rng.randrange(256)
        return bytes(changed)

    def _insert(self, line: bytes) -> bytes:
        at = self._rng.randrange(len(line) + 1)
        return line[:at] + self._rng.choice(_BYTES) + line[at:]

    def _cut(self, line: bytes) -> bytes:
        return line[: self._rng.randrange(len(line) + 1)]

    def _deepen(self, line: bytes) -> bytes:
        depth = self._rng.randrange(1, _DEPTH)
        deep = b"[" * depth + b"]" * depth
        return line.replace(b'"payload":', b'"deep":%s,"payload":' % deep, 1)

    def _edited(self, line: bytes, edit: Callable[[Any, Any], None]) -> bytes:
        """The line with one of its values, at any depth, edited."""
        record = _decoded(line)
        places = list(_places(record))
        if not places:
            return line
        edit(*self._rng.choice(places))
        return json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode(
            errors="surrogatepass"
        )


def _decoded(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (parent, key or index) in a decoded value."""
    found: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        parent = pending.pop()
        keys: Sequence[Any] = ()
        if isinstance(parent, dict):
            keys = list(parent)
        elif isinstance(parent, list):
            keys = range(len(parent))
        for key in keys:
            found.append((parent, key))
            pending.append(parent[key])
    return found
