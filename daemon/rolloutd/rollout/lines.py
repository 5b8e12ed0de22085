"""Complete lines out of a stream of bytes, in bounded memory."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from rolloutd.rollout.opaque import OPAQUE_BYTES, begins_opaque, is_opaque

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
        large: whether there may be one of `OPAQUE_BYTES` or more.
    """

    text: bytes | memoryview
    starts: list[int]
    plain: bool
    large: bool

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
    ) -> None:
        self.offset = offset
        self.opaque = 0
        self.oversized = 0
        self.tail: bytes | None = b""
        self.taken = 0
        self._source = source
        self._limit = limit
        self._buffer_bytes = min(buffer_bytes, limit + 1)
        self._buffer = bytearray(self._buffer_bytes)
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
                yield from self._runs(_Gathering(buffer), whole)
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

    def _runs(self, gathering: "_Gathering", end: int) -> Iterator[Run]:
        """The runs of the lines up to `end`, which is just after the last newline."""
        buffer = gathering.buffer
        large = min(OPAQUE_BYTES, self._limit + 1)
        start = 0
        if self._gone:
            start = buffer.find(b"\n") + 1
            self._pass_over(start - 1)
        elif self.offset == 0 and buffer.startswith(_BYTE_ORDER_MARK):
            start = len(_BYTE_ORDER_MARK)
        gathering.begin = start
        while start < end:
            newline = buffer.find(b"\n", start, end)
            size = newline - start
            if size >= large and self._is_passed_over(buffer, start, newline):
                gathering.cut(start)
                gathering.begin = newline + 1
                self._pass_over(size)
            elif size > _LONG_BYTES or gathering.size > BUFFER_BYTES:
                yield from gathering.apart(start, newline)
            else:
                if size >= large:
                    gathering.large = True
                gathering.starts.append(gathering.size)
                gathering.size += size + 1
                if buffer[start] != _OPEN or buffer[newline - 1] != _CLOSE:
                    gathering.plain = False
            start = newline + 1
        gathering.cut(end)
        yield from gathering.run()

    def _is_passed_over(self, buffer: bytearray, start: int, end: int) -> bool:
        return end - start > self._limit or is_opaque(buffer, start, end)

    def _pass_over(self, size: int) -> None:
        """Count a line that is not given; its last `size` bytes are in the buffer."""
        if self._gone + size > self._limit:
            self.oversized += 1
        else:
            self.opaque += 1
        self.offset += self._gone
        self._gone = 0

    def _is_let_go(self, kept: int) -> bool:
        """Whether what there is of a line is all that fits, and enough to tell what it is."""
        return kept == len(self._buffer) and begins_opaque(self._buffer, 0, kept)

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


class _Gathering:
    """Lines on their way into a run, of which few are worth a run of their own.

    Attributes:
        begin: of the lines that were not cut out of the buffer yet.
        size: of the run so far, a newline after each line.
    """

    def __init__(self, buffer: bytearray) -> None:
        self.buffer = buffer
        self.begin = 0
        self.size = 0
        self.starts: list[int] = []
        self.plain = True
        self.large = False
        self._view = memoryview(buffer)
        self._pieces: list[memoryview] = []

    def cut(self, end: int) -> None:
        """Take the lines up to `end`, which is just after a newline, out of the buffer."""
        if end > self.begin:
            self._pieces.append(self._view[self.begin : end - 1])
            self.begin = end

    def run(self) -> Iterator[Run]:
        """The run of what was cut out, if there is any; then begin anew."""
        if self.starts:
            yield Run(b"\n".join(self._pieces), self.starts, self.plain, self.large)
            self.size = 0
            self.starts, self._pieces, self.plain, self.large = [], [], True, False

    def apart(self, start: int, newline: int) -> Iterator[Run]:
        """The run of what was before this line, and one of this line alone."""
        self.cut(start)
        yield from self.run()
        yield Run(self._view[start:newline], [0], plain=True, large=True)
        self.begin = newline + 1
