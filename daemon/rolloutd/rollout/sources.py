"""Byte sources: a plain file up to a size; `zstd_source` has what a compressed one holds."""

import os

from rolloutd.rollout.anchors import anchors_of


class CompressedError(Exception):
    """A `.zst` that is broken, cut off, or too good to be true."""


class PlainSource:
    """The bytes of an open file from `start` up to `end`, or to wherever it ends by then.

    Attributes:
        anchors: those at `end`, where all that is before it was got in one go; else None.
    """

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        self._descriptor = descriptor
        self._at = start
        self._end = end
        self.anchors: str | None = None

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill `buffer`; 0 at the end."""
        wanted = min(len(buffer), self._end - self._at)
        if wanted <= 0:
            return 0
        got = os.preadv(self._descriptor, [buffer[:wanted]], self._at)
        if self._at == 0 and got == self._end:
            self.anchors = anchors_of(buffer[:got])
        self._at += got
        return got
