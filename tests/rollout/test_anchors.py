"""Anchors bind a cursor to the bytes at the file's head and before the cursor."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout.anchors import ANCHOR_BYTES, anchors_at, anchors_of

SIZE = 3 * ANCHOR_BYTES


def anchors(path: Path, content: bytes, offset: int) -> str:
    path.write_bytes(content)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return anchors_at(descriptor, offset)
    finally:
        os.close(descriptor)


@given(st.integers(1, SIZE), st.data())
def test_a_changed_byte_at_the_head_or_before_the_offset_changes_the_anchors(
    tmp_path: Path, offset: int, data: st.DataObject
) -> None:
    content = os.urandom(1) * SIZE
    near_start = st.integers(0, min(ANCHOR_BYTES, offset) - 1)
    near_end = st.integers(max(0, offset - ANCHOR_BYTES), offset - 1)
    at = data.draw(near_start | near_end)
    changed = bytearray(content)
    changed[at] ^= 1
    file = tmp_path / "file"
    assert anchors(file, content, offset) != anchors(file, bytes(changed), offset)


@given(st.integers(0, SIZE), st.binary(max_size=50))
def test_what_follows_the_offset_does_not_matter(tmp_path: Path, offset: int, more: bytes) -> None:
    content = b"x" * offset
    file = tmp_path / "file"
    assert anchors(file, content, offset) == anchors(file, content + more, offset)


@given(st.binary(max_size=SIZE))
def test_of_what_is_at_hand_they_are_the_same(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    assert anchors_of(memoryview(content)) == anchors(file, content, len(content))
