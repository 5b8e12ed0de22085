"""Whose rollout a file is, told by its head: always what reading all of it tells."""

import os
from pathlib import Path
from random import Random

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout.identity import Unidentified, Unreadable, recorded_thread
from rolloutd.rollout.reading import read_rollout
from tests.oracle.cases_build import meta, rollout, turn, user
from tests.rollouts import HEADER_020, OTHER, PATH, THREAD, own, without_privileges, write

LINES = (
    meta(),
    meta(id="@other@"),
    meta(timestamp="never"),
    meta(id="@other@", timestamp="never"),
    meta(id="no uuid"),
    meta(cwd=...),
    turn(),
    user(),
    b"",
    b"garbage",
    b"\xff",
    HEADER_020,
    b'{"type":"message","role":"user","content":[]}',
)
PATHS = (PATH, "sessions/rollout-copy.jsonl", "archived_sessions/2026/rollout-.jsonl.zst")


def whole(home: Path, path: str) -> str:
    """What reading all of a file tells: the id, or why there is none."""
    reading = read_rollout(os.fspath(home), path)
    return str(reading.error or reading.summary.thread_id)


def head(home: Path, path: str) -> str:
    try:
        return recorded_thread(f"{home}/{path}")
    except Unidentified as error:
        return str(error)


@given(
    lines=st.lists(st.sampled_from(LINES), max_size=6),
    path=st.sampled_from(PATHS),
    ended=st.booleans(),
)
def test_the_head_tells_what_the_whole_tells(
    home: Path, lines: list[bytes], path: str, *, ended: bool
) -> None:
    content = own(b"\n".join(lines) + (b"\n" if ended and lines else b""))
    write(home, zstandard.compress(content) if path.endswith(".zst") else content, path)
    assert head(home, path) == whole(home, path)


def test_the_record_counts_and_not_the_name(home: Path) -> None:
    file = write(home, rollout(meta(id="@other@"), user()))
    assert THREAD in file.name
    assert recorded_thread(os.fspath(file)) == OTHER


def test_only_the_head_is_read(home: Path) -> None:
    words = user(Random(1).randbytes(400_000).hex())
    content = zstandard.compress(own(rollout(meta(), words)))
    file = write(home, content[: len(content) // 2], PATH + ".zst")
    assert "cut off" in whole(home, PATH + ".zst")
    assert recorded_thread(os.fspath(file)) == THREAD


def test_what_is_not_there(home: Path) -> None:
    write(home, rollout(meta()))
    for path in (home / "nothing", home / PATH / "below", Path("nul\0")):
        with pytest.raises(FileNotFoundError):
            recorded_thread(os.fspath(path))


def test_what_is_no_file(home: Path) -> None:
    (home / "folder").mkdir()
    (home / "link").symlink_to("folder")
    os.mkfifo(home / "fifo")
    with pytest.raises(Unidentified, match="directory"):
        recorded_thread(os.fspath(home / "folder"))
    with pytest.raises(Unreadable):
        recorded_thread(os.fspath(home / "link"))
    with pytest.raises(Unidentified, match="FIFO"):
        recorded_thread(os.fspath(home / "fifo"))


def test_what_must_not_be_read(home: Path) -> None:
    file = write(home, rollout(meta()))
    file.chmod(0)
    code = """
import sys
from rolloutd.rollout.identity import Unreadable, recorded_thread
try:
    recorded_thread(sys.argv[1])
except Unreadable as error:
    print(error)
"""
    assert without_privileges(code, os.fspath(file)) == "Permission denied\n"
