"""What can be told of a rollout without reading it."""

import os
from pathlib import Path

import pytest
import zstandard

from rolloutd.rollout.glance import glance
from tests.oracle.cases_build import meta, rollout, turn, user
from tests.rollouts import HEADER_020, OTHER, PATH, THREAD, append, own, read, write

ODD = "sessions/rollout-odd.jsonl"
PACKED = PATH + ".zst"
LONG = user("x" * 100_000)


def thread_at(home: Path, path: str) -> str | None:
    return glance(os.fspath(home), path, 0, wants_thread=True).thread_id


def test_stamp_and_anchors_are_those_of_a_reading(home: Path) -> None:
    write(home, rollout(meta(), turn(), user()) + b'{"torn')
    cursor = read(home).cursor
    assert cursor is not None
    seen = glance(os.fspath(home), PATH, cursor.offset, wants_thread=False)
    assert (seen.stamp, seen.anchors, seen.thread_id) == (cursor.stamp, cursor.anchors, None)
    append(home, b"more\n")
    again = glance(os.fspath(home), PATH, cursor.offset, wants_thread=False)
    assert again.anchors == cursor.anchors
    assert again.stamp != cursor.stamp
    other = glance(os.fspath(home), PATH, cursor.offset - 1, wants_thread=False)
    assert other.anchors != cursor.anchors


@pytest.mark.parametrize(
    ("content", "path", "thread"),
    [
        (rollout(meta(id=OTHER)), PATH, OTHER),
        (rollout(user(), meta(id=OTHER)), ODD, OTHER),
        (rollout(*[LONG] * 20, meta(), user()), ODD, THREAD),
        (rollout(b"garbage", HEADER_020), ODD, None),
        (rollout(HEADER_020), ODD, THREAD),
        (rollout(meta(), end=b""), ODD, THREAD),
        (rollout(user()), PATH, THREAD),
        (rollout(user()), ODD, None),
        (b"", ODD, None),
    ],
)
def test_the_thread_is_the_records_own(
    home: Path, content: bytes, path: str, thread: str | None
) -> None:
    write(home, content, path)
    assert thread_at(home, path) == thread == read(home, path).summary.thread_id


def test_the_thread_of_a_compressed_one(home: Path) -> None:
    write(home, zstandard.compress(own(rollout(meta(id=OTHER), *[LONG] * 3))), PACKED)
    assert thread_at(home, PACKED) == OTHER
    (home / PACKED).write_bytes((home / PACKED).read_bytes()[:40])
    assert thread_at(home, PACKED) == THREAD, "what is broken says nothing against its name"


def test_a_record_is_not_looked_for_for_ever(home: Path) -> None:
    write(home, rollout(*[LONG] * 200, meta()), ODD)
    assert thread_at(home, ODD) is None


def test_what_is_not_there_or_no_file(home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        thread_at(home, PATH)
    write(home, b"")
    (home / ODD).symlink_to(home / PATH)
    with pytest.raises(OSError, match="symbolic links"):
        thread_at(home, ODD)
