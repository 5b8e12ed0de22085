"""Whether a database was written to, told by its files."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rolloutd.state.stamp import Untouched, files_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
def other(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (n)")
        connection.execute("INSERT INTO t VALUES (0)")
        yield connection


def age(path: Path, seconds: float) -> None:
    """Let the files be as old as that."""
    then = time.time_ns() - round(seconds * 1e9)
    for file in files_of(path):
        os.utime(file, ns=(then, then))


def test_each_commit_is_seen(path: Path, other: sqlite3.Connection) -> None:
    untouched = Untouched(*files_of(path))
    for number in range(1, 4):
        age(path, 10)
        assert not untouched()
        assert untouched()
        assert untouched()
        other.execute("UPDATE t SET n = ?", [number])
        assert not untouched()


@pytest.mark.usefixtures("other")
def test_what_was_written_lately_may_not_be_a_commit_yet(path: Path) -> None:
    untouched = Untouched(*files_of(path))
    age(path, 5)
    assert not untouched()
    assert not untouched()


def test_commits_within_a_tick_of_the_clock_are_not_missed(
    path: Path, other: sqlite3.Connection
) -> None:
    """In a log that is written from its start again, so that no size tells either."""
    untouched = Untouched(*files_of(path))
    for number in range(200):
        other.execute("UPDATE t SET n = ?", [2 * number])
        untouched()
        other.execute("UPDATE t SET n = ?", [2 * number + 1])
        other.execute("PRAGMA wal_checkpoint(RESTART)")
        assert not untouched()


@pytest.mark.usefixtures("other")
def test_another_file_in_its_place_is_seen(path: Path) -> None:
    untouched = Untouched(*files_of(path))
    age(path, 10)
    untouched()
    assert untouched()
    path.rename(path.with_name("kept"))
    assert not untouched()
    path.with_name("kept").rename(path)
    assert not untouched()
    assert untouched()
    path.with_name(f"{path.name}-wal").unlink()
    assert not untouched()


def test_a_file_alone_is_not_touched_by_what_goes_into_the_log(
    path: Path, other: sqlite3.Connection
) -> None:
    age(path, 10)
    untouched = Untouched(files_of(path)[0])
    untouched()
    other.execute("UPDATE t SET n = 1")
    assert untouched()
    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not untouched()
