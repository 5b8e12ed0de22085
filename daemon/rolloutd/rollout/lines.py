"""Complete lines out of a stream of bytes, in bounded memory."""

from collections.abc import Iterator
from typing import Protocol

BUFFER_BYTES = 256 * 1024
LINE_LIMIT_BYTES = 64 * 1024 * 1024

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ByteSource(Protocol):
    """Anything that fills a buffer and returns how many bytes it put there; 0 at the end."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill `buffer`."""


class LineReader:
    r"""Splits what a source gives on `\\n` alone.

    Each line is a view into a buffer that is used again: it is valid until the next one is
    asked for. What follows the last `\\n` is not a line yet; it is left in `tail`.

    Attributes (the counts are exact once iteration has ended):
        offset: position in the stream just after the last complete line.
        oversized: lines longer than the limit, passed over without being kept.
        tail: bytes after the last line; None if they are more than the limit.
        taken: bytes taken from the source.
        ascii: True only if the line at hand is pure ASCII; kept for a buffer of lines at a time.
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
        self.oversized = 0
        self.tail: bytes | None = b""
        self.taken = 0
        self._source = source
        self._limit = limit
        self._buffer_bytes = min(buffer_bytes, limit + 1)
        self._buffer = bytearray(self._buffer_bytes)
        self.ascii = False

    def __iter__(self) -> Iterator[memoryview]:
        kept = 0  # bytes at the buffer's start that belong to an unfinished line
        limit = self._limit
        dropped = 0  # bytes of an unfinished line over the limit: its rest goes the same way
        while True:
            view = memoryview(self._buffer)
            got = self._source.readinto(view[kept:])
            if got == 0:
                break
            self.taken += got
            end = kept + got
            start = 0
            find = self._buffer.find
            newline = find(b"\n", kept, end)
            if newline >= 0:
                self.ascii = self._buffer.isascii()
            while newline >= 0:
                if dropped or newline - start > limit:
                    self.oversized += 1
                    self.offset += dropped
                    dropped = 0
                elif start == 0 and self.offset == 0 and view[:3] == _BYTE_ORDER_MARK:
                    yield view[3:newline]
                else:
                    yield view[start:newline]
                start = newline + 1
                newline = find(b"\n", start, end)
            self.offset += start
            kept = end - start
            if dropped or kept > self._limit:
                dropped += kept
                kept = 0
            self._keep(view, end - kept, end)
        tail = bytes(view[:kept])
        if self.offset == 0:
            tail = tail.removeprefix(_BYTE_ORDER_MARK)
        self.tail = None if dropped else tail

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
