"""What a compressed rollout holds, in bounded memory.

Few rollouts are compressed, so this is imported for the first of them.
"""

import zstandard

from rolloutd.rollout.sources import CompressedError, PlainSource

# A frame's window is memory that its author makes us allocate. Codex compresses with windows of
# a few MiB; what asks for more than this is refused.
WINDOW_LIMIT_BYTES = 32 * 1024 * 1024

# A bomb expands without end. Real rollouts shrink by 5 to 50 times; zstd itself can do 20,000.
RATIO_LIMIT = 1000
RATIO_FLOOR_BYTES = 1024 * 1024 * 1024

# A block of four bytes may hold 128 KiB, so small feeds bound what one call gives back (8 MiB).
_FEED_BYTES = 256
_READ_BYTES = 256 * 1024


class ZstdSource:
    """What the zstd frames of an open file hold, in bounded memory.

    Raises (from `readinto`):
        CompressedError: broken or cut off, a window over the limit, or a bomb.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self._file = PlainSource(descriptor, 0, size)
        self._feed = memoryview(b"")
        self._output = memoryview(b"")
        self._limit = max(RATIO_FLOOR_BYTES, size * RATIO_LIMIT)
        self._given = 0
        self._context = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT_BYTES)
        self._frame: zstandard.ZstdDecompressionObj | None = None

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill `buffer`; 0 after the last frame."""
        while not self._output:
            if not self._feed and not self._refill():
                if self._frame is not None:
                    raise CompressedError("zstd: cut off in the middle of a frame")
                return 0
            self._decompress()
        got = min(len(buffer), len(self._output))
        buffer[:got] = self._output[:got]
        self._output = self._output[got:]
        self._given += got
        if self._given > self._limit:
            raise CompressedError(f"zstd: holds more than {RATIO_LIMIT} times its size")
        return got

    def _refill(self) -> bool:
        chunk = bytearray(_READ_BYTES)
        got = self._file.readinto(memoryview(chunk))
        self._feed = memoryview(chunk)[:got]
        return got > 0

    def _decompress(self) -> None:
        if self._frame is None:
            self._frame = self._context.decompressobj()
        piece = self._feed[:_FEED_BYTES]
        used = len(piece)
        try:
            self._output = memoryview(self._frame.decompress(piece))
        except zstandard.ZstdError as error:
            raise CompressedError(f"zstd: {error}") from error
        if self._frame.eof:
            used -= len(self._frame.unused_data)
            self._frame = None
        self._feed = self._feed[used:]
