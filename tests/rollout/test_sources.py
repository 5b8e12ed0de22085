"""Byte sources: what zstd frames hold, in bounded memory and bounded time."""

import os
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout.lines import ByteSource
from rolloutd.rollout.sources import CompressedError, PlainSource
from rolloutd.rollout.zstd_source import RATIO_FLOOR_BYTES, WINDOW_LIMIT_BYTES, ZstdSource

MIB = 1024 * 1024
MAGIC = b"\x28\xb5\x2f\xfd"
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
BLOCK = 128 * 1024


def rle_frame(blocks: int, window: int = 2 * MIB) -> bytes:
    """A frame of so many blocks of 128 KiB, four bytes each."""
    descriptor = bytes([(window.bit_length() - 11) << 3])
    header = (1 << 1) | (BLOCK << 3)
    middle = header.to_bytes(3, "little") + b"a"
    last = (header | 1).to_bytes(3, "little") + b"a"
    return MAGIC + b"\0" + descriptor + middle * (blocks - 1) + last


@contextmanager
def opened(path: Path, content: bytes) -> Iterator[int]:
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def drain(source: ByteSource, portion: int = 64 * 1024) -> bytes:
    buffer = bytearray(portion)
    found = b""
    while got := source.readinto(memoryview(buffer)):
        found += buffer[:got]
    return found


def count(source: ByteSource) -> int:
    """How many bytes come until the end."""
    view = memoryview(bytearray(256 * 1024))
    total = 0
    while got := source.readinto(view):
        total += got
    return total


@given(st.binary(max_size=200), st.integers(0, 250), st.integers(0, 250), st.integers(1, 50))
def test_a_plain_source_gives_the_bytes_between_start_and_end(
    tmp_path: Path, content: bytes, start: int, end: int, portion: int
) -> None:
    with opened(tmp_path / "plain", content) as descriptor:
        assert drain(PlainSource(descriptor, start, end), portion) == content[start:end]


def test_a_plain_source_ends_where_the_file_ends_by_now(tmp_path: Path) -> None:
    with opened(tmp_path / "plain", b"0123456789") as descriptor:
        source = PlainSource(descriptor, 0, 10)
        assert source.readinto(memoryview(bytearray(4))) == 4
        os.truncate(tmp_path / "plain", 6)
        assert drain(source) == b"45"


FRAMES = st.lists(
    st.binary(max_size=3000).map(zstandard.ZstdCompressor().compress)
    | st.binary(max_size=3000).map(zstandard.ZstdCompressor(write_content_size=False).compress)
    | st.just(SKIPPABLE),
    max_size=6,
)


@given(FRAMES, st.integers(1, 5000))
def test_frames_one_after_the_other_are_one_stream(
    tmp_path: Path, frames: list[bytes], portion: int
) -> None:
    held = b"".join(
        zstandard.ZstdDecompressor().decompressobj().decompress(frame) for frame in frames
    )
    content = b"".join(frames)
    with opened(tmp_path / "zst", content) as descriptor:
        assert drain(ZstdSource(descriptor, len(content)), portion) == held


def test_a_bomb_is_given_up_at_the_limit_in_bounded_memory(tmp_path: Path) -> None:
    content = rle_frame(3 * RATIO_FLOOR_BYTES // 2 // BLOCK)
    with opened(tmp_path / "zst", content) as descriptor:
        source = ZstdSource(descriptor, len(content))
        tracemalloc.start()
        try:
            with pytest.raises(CompressedError, match="1000 times"):
                count(source)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 64 * MIB


def test_what_expands_much_but_is_small_is_read(tmp_path: Path) -> None:
    content = rle_frame(800)
    with opened(tmp_path / "zst", content) as descriptor:
        assert count(ZstdSource(descriptor, len(content))) == 800 * BLOCK


@pytest.mark.parametrize("window", [2 * WINDOW_LIMIT_BYTES, 1 << 31, 1 << 40])
def test_a_window_over_the_limit_is_refused_before_memory_is_taken(
    tmp_path: Path, window: int
) -> None:
    content = rle_frame(1, window)
    with opened(tmp_path / "zst", content) as descriptor:
        source = ZstdSource(descriptor, len(content))
        tracemalloc.start()
        try:
            with pytest.raises(CompressedError, match="memory"):
                drain(source)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 4 * MIB


def test_a_window_of_the_limit_is_read(tmp_path: Path) -> None:
    content = rle_frame(2, WINDOW_LIMIT_BYTES)
    with opened(tmp_path / "zst", content) as descriptor:
        assert count(ZstdSource(descriptor, len(content))) == 2 * BLOCK


def test_the_time_for_many_small_frames_grows_with_their_number_only(tmp_path: Path) -> None:
    frame = zstandard.ZstdCompressor().compress(b"")
    content = frame * (2 * MIB // len(frame))
    with opened(tmp_path / "zst", content) as descriptor:
        started = time.process_time()
        assert drain(ZstdSource(descriptor, len(content))) == b""
        whole = time.process_time() - started
        started = time.process_time()
        # The same frames from a file that fits one read of a few: nothing is left over to copy.
        for _ in range(0, 2 * MIB, 4096):
            drain(ZstdSource(descriptor, 4095))
        apart = time.process_time() - started
    assert whole < 2 * apart
