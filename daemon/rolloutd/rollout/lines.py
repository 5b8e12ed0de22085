"""Complete lines out of a stream of bytes, in bounded memory."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from rolloutd.rollout.opaque import (
    END,
    OPAQUE_BYTES,
    START,
    USUAL,
    USUAL_AT,
    begins_opaque,
    is_opaque,
)

BUFFER_BYTES = 256 * 1024
LINE_LIMIT_BYTES = 64 * 1024 * 1024

# A line longer than this is given alone, as it lies in the buffer; others are copied.
_LONG_BYTES = 64 * 1024

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OPEN, _CLOSE = b"{}"


class ByteSource(Protocol):
    """Anything that fills a buffer and returns how many bytes it put there; 0 at the end."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill `buffer`."""


class Run(NamedTuple):
    """Lines that follow each other, but for those passed over in between; at least one.

    Attributes:
        text: the lines, with a newline between each two of them.
        starts: where in `text` each of them begins.
        plain: whether each begins with `{` and ends with `}`.
        large: the numbers of those of `OPAQUE_BYTES` or more.
    """

    text: bytes | memoryview
    starts: list[int]
    plain: bool
    large: list[int]

    def line(self, number: int) -> bytes | memoryview:
        """The line of that number, from 0."""
        if number + 1 < len(self.starts):
            return self.text[self.starts[number] : self.starts[number + 1] - 1]
        return self.text[self.starts[number] :]


class LineReader:
    r"""Splits what a source gives on `\\n` alone, and passes over what need not be looked into.

    The lines come in runs. One that is a view lies in a buffer that is used again: it is valid
    until the next run is asked for. What follows the last `\\n` is not a line yet; it is left in
    `tail`.

    Attributes (exact once iteration has ended):
        offset: position in the stream just after the last complete line.
        opaque: large response items (see `rollout.opaque`): lines, but not given.
        oversized: lines longer than the limit, passed over without being kept.
        ahead: how many lines come before the first of those; None as long as there is none.
        tail: bytes after the last line; None if they are more than is kept.
        taken: bytes taken from the source.
    """

    def __init__(
        self,
        source: ByteSource,
        *,
        offset: int = 0,
        limit: int = LINE_LIMIT_BYTES,
        buffer_bytes: int = BUFFER_BYTES,
        buffer: bytearray | None = None,
    ) -> None:
        self.offset = offset
        self.opaque = 0
        self.oversized = 0
        self.ahead: int | None = None
        self.tail: bytes | None = b""
        self.taken = 0
        self._source = source
        self._limit = limit
        if buffer is None or len(buffer) > limit:
            buffer = bytearray(min(buffer_bytes, limit + 1))
        self._buffer = buffer
        self._buffer_bytes = len(buffer)
        self._given = 0
        self._gone = 0  # bytes of an unfinished line that were let go: its rest goes the same way

    def __iter__(self) -> Iterator[Run]:
        kept = 0  # bytes at the buffer's start that belong to an unfinished line
        while True:
            buffer = self._buffer
            view = memoryview(buffer)
            got = self._source.readinto(view[kept:])
            if got == 0:
                break
            self.taken += got
            end = kept + got
            whole = buffer.rfind(b"\n", kept, end) + 1
            if whole:
                yield from self._runs(buffer, whole)
                self.offset += whole
            kept = end - whole
            if self._gone or kept > self._limit or self._is_let_go(kept):
                self._gone += kept
                kept = 0
            self._keep(view, end - kept, end)
        tail = bytes(view[:kept])
        if self.offset == 0:
            tail = tail.removeprefix(_BYTE_ORDER_MARK)
        self.tail = None if self._gone else tail

    def _runs(self, buffer: bytearray, end: int) -> Iterator[Run]:
        """The runs of the lines up to `end`, which is just after the last newline."""
        start = self._first_start(buffer)
        while start < end:
            run, alone, start = self._gathered(buffer, start, end)
            if run.starts:
                self._given += len(run.starts)
                yield run
            if alone is not None:
                self._given += 1
                yield Run(alone, [0], plain=True, large=[0])

    def _gathered(
        self, buffer: bytearray, start: int, end: int
    ) -> tuple[Run, memoryview | None, int]:
        """The lines from `start` up to `end`, or fewer if they are enough for a run.

        Returns them, which may be none, the line after them if that is to be given alone, and
        where the next one begins.
        """
        # Every line there is comes by here: what this needs is local, and it calls little.
        find, startswith, endswith = buffer.find, buffer.startswith, buffer.endswith
        view, limit, ahead = memoryview(buffer), self._limit, self.ahead
        least, stop = min(OPAQUE_BYTES, limit + 1), min(end, start + BUFFER_BYTES)
        pieces: list[memoryview] = []
        starts: list[int] = []
        large: list[int] = []
        plain, size, opaque, begin = True, 0, 0, start
        alone = None
        while start < stop:
            newline = find(b"\n", start, end)
            length = newline - start
            if length >= least:
                if (
                    length > limit
                    or (
                        startswith(USUAL, start + USUAL_AT)
                        and endswith(END, start, newline)
                        and startswith(START, start)
                    )
                    or is_opaque(buffer, start, newline)
                ):
                    if start > begin:
                        pieces.append(view[begin : start - 1])
                    if ahead is None:
                        ahead = self._given + len(starts)
                    if length > limit:
                        self.oversized += 1
                    else:
                        opaque += 1
                    start = begin = newline + 1
                    continue
                if length > _LONG_BYTES:
                    alone = view[start:newline]
                    break
                large.append(len(starts))
            if buffer[start] != _OPEN or buffer[newline - 1] != _CLOSE:
                plain = False
            starts.append(size)
            size += length + 1
            start = newline + 1
        if start > begin:
            pieces.append(view[begin : start - 1])
        self.ahead = ahead
        self.opaque += opaque
        next_start = start if alone is None else start + len(alone) + 1
        return Run(b"\n".join(pieces), starts, plain, large), alone, next_start

    def _first_start(self, buffer: bytearray) -> int:
        """Where the first line begins that is not the rest of one, or of a byte order mark."""
        if self._gone:
            start = buffer.find(b"\n") + 1
            self._count(self._gone + start - 1, 0)
            self.offset += self._gone
            self._gone = 0
            return start
        is_marked = self.offset == 0 and buffer.startswith(_BYTE_ORDER_MARK)
        return len(_BYTE_ORDER_MARK) if is_marked else 0

    def _count(self, length: int, gathered: int) -> None:
        """One more line that is passed over, after so many that are still to be given."""
        if self.ahead is None:
            self.ahead = self._given + gathered
        if length > self._limit:
            self.oversized += 1
        else:
            self.opaque += 1

    def _is_let_go(self, kept: int) -> bool:
        """Whether what there is of a line is all that fits, and enough to tell what it is."""
        return kept == len(self._buffer) and begins_opaque(self._buffer, kept)

    def _keep(self, view: memoryview, start: int, end: int) -> None:
        """Move what is unfinished to the front, and suit the buffer's size to it."""
        kept = end - start
        size = len(self._buffer)
        if kept == size:
            size = 2 * size if 2 * size < self._limit else self._limit + 1
        elif size > self._buffer_bytes > 2 * kept:
            size = self._buffer_bytes
        if size != len(self._buffer):
            # A new buffer, since views of the old one forbid that it changes its size.
            self._buffer = bytearray(size)
            memoryview(self._buffer)[:kept] = view[start:end]
        elif start:
            view[:kept] = view[start:end]
