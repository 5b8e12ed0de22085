"""`session_index.jsonl`: the names that users gave."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout.session_index import FILE_NAME, read_session_names
from tests.rollouts import OTHER, THREAD, without_privileges


def entry(name: object, thread_id: object = THREAD, **more: object) -> bytes:
    at = "2026-01-02T03:04:05Z"
    return json.dumps(
        {"id": thread_id, "thread_name": name, "updated_at": at, **more}, ensure_ascii=False
    ).encode()


def names(home: Path, *lines: bytes, end: bytes = b"\n") -> dict[str, str]:
    (home / FILE_NAME).write_bytes(b"\n".join(lines) + end)
    return read_session_names(home)


def test_no_file_means_no_names(home: Path) -> None:
    assert read_session_names(home) == {}


def test_the_last_entry_of_a_thread_wins_whatever_its_time(home: Path) -> None:
    found = names(
        home, entry("one", updated_at="2026-02-01T00:00:00Z"), entry("x", OTHER), entry("two")
    )
    assert found == {THREAD: "two", OTHER: "x"}


@pytest.mark.parametrize("spelling", [THREAD.upper(), THREAD.replace("-", ""), f"{{{THREAD}}}"])
def test_any_spelling_of_an_id_is_the_same_thread(home: Path, spelling: str) -> None:
    assert names(home, entry("one"), entry("two", spelling)) == {THREAD: "two"}


def test_names_are_trimmed(home: Path) -> None:
    assert names(home, entry("\u00a0 a  b\t")) == {THREAD: "a  b"}


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u2028"])
def test_a_blank_name_leaves_the_earlier_one(home: Path, blank: str) -> None:
    assert names(home, entry("one"), entry(blank)) == {THREAD: "one"}
    assert names(home, entry(blank)) == {}


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"garbage",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b"[" * 5000,
        entry(None),
        entry(1),
        entry("x", None),
        entry("x", "no uuid"),
        entry("x", thread_id=THREAD)[:-5],
        entry("x").replace(b'"x"', b'"\xff"'),
    ],
)
def test_lines_that_say_nothing_are_passed_over(home: Path, odd: bytes) -> None:
    assert names(home, entry("one"), odd, entry("y", OTHER)) == {THREAD: "one", OTHER: "y"}


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_the_last_line_counts_however_it_ends(home: Path, end: bytes) -> None:
    assert names(home, entry("one"), entry("two"), end=end) == {THREAD: "two"}


def test_only_newlines_end_a_line(home: Path) -> None:
    assert names(home, entry("a\u2028b\u0085c")) == {THREAD: "a\u2028b\u0085c"}


@given(st.binary(max_size=80))
def test_no_bytes_are_an_error(home: Path, content: bytes) -> None:
    assert names(home, entry("one"), content, entry("y", OTHER)).get(OTHER) == "y"


def test_a_fifo_or_a_directory_of_that_name_has_no_names_and_leaks_nothing(home: Path) -> None:
    os.mkfifo(home / FILE_NAME)
    assert read_session_names(home) == {}
    (home / FILE_NAME).unlink()
    (home / FILE_NAME).mkdir()
    before = len(list(Path("/dev/fd").iterdir()))
    assert read_session_names(home) == {}
    assert len(list(Path("/dev/fd").iterdir())) == before


READ = """
import sys
from pathlib import Path
from rolloutd.rollout.session_index import read_session_names
try:
    print(read_session_names(Path(sys.argv[1])))
except OSError as error:
    print(error.strerror)
"""


def test_a_file_that_cannot_be_read_is_not_taken_for_no_names(home: Path) -> None:
    (home / FILE_NAME).write_bytes(entry("one"))
    (home / FILE_NAME).chmod(0)
    assert without_privileges(READ, os.fspath(home)) == "Permission denied\n"
