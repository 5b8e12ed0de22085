"""Connections: their transactions, whose turn it is, and the ways to ask."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rolloutd.state.connections import Connections, reading, use_wal, writing
from tests.running import BOUND_SECONDS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
        connection.execute("INSERT INTO t VALUES (1, 'x'), (2, NULL)")
    return path


@pytest.fixture
def connections(path: Path) -> Iterator[Connections]:
    opened = Connections(path, writes=True)
    use_wal(opened, 1)
    yield opened
    opened.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def files_of(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def test_each_kind_of_question_has_its_answer(connections: Connections) -> None:
    with reading(connections) as connection:
        assert connection.value("SELECT b FROM t WHERE a = ?", (1,)) == "x"
        assert connection.value("SELECT b FROM t WHERE a = 3") is None
        assert connection.column("SELECT a FROM t ORDER BY a DESC") == [2, 1]
        assert connection.records("SELECT b, a FROM t WHERE a = :a", {"a": 2}) == [
            {"b": None, "a": 2}
        ]
        assert connection.records("SELECT a FROM t WHERE a > 2") == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, sqlite3.OperationalError])
def test_an_error_undoes_what_was_written(
    connections: Connections, path: Path, error: type[BaseException]
) -> None:
    before = log_of(path).stat().st_ino

    def fail() -> None:
        with writing(connections) as connection:
            connection.execute("DELETE FROM t")
            raise error

    with pytest.raises(error):
        fail()
    with writing(connections) as connection:
        assert connection.value("SELECT count(*) FROM t") == 2
        connection.execute("DELETE FROM t WHERE a = 2")
    with reading(connections) as connection:
        assert connection.value("SELECT count(*) FROM t") == 1
    # The one connection was never closed: that would have taken the log away.
    assert log_of(path).stat().st_ino == before


def test_a_question_that_is_left_halfway_keeps_nothing_open(
    connections: Connections, path: Path
) -> None:
    with writing(connections) as connection:
        connection.executemany("INSERT INTO t (b) VALUES (?)", [("y" * 3000,)] * 1000)
    asked = Connections(path, writes=False)
    with reading(asked) as connection:
        # Kept, as it would be by the traceback of an error that somebody remembers.
        rows = connection.execute("SELECT * FROM t")
        next(rows)
    with connections.lent() as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert log_of(path).stat().st_size == 0
    asked.close()
    with pytest.raises(sqlite3.ProgrammingError):
        next(rows)


def test_what_is_closed_halfway_keeps_no_file_open(path: Path) -> None:
    before = files_of(Path("/dev/fd"))
    with closing(Connections(path, writes=False).opened()) as connection:
        rows = connection.execute("SELECT * FROM t")
        next(rows)
    assert files_of(Path("/dev/fd")) == before
    with pytest.raises(sqlite3.ProgrammingError):
        next(rows)


def test_the_threads_of_a_writer_take_turns(connections: Connections) -> None:
    other, mine = threading.Event(), threading.Event()
    seen = []

    def look() -> None:
        other.set()
        with reading(connections) as connection:
            seen.append((mine.is_set(), connection.value("SELECT count(*) FROM t")))

    with writing(connections) as connection:
        connection.execute("DELETE FROM t")
        thread = threading.Thread(target=look)
        thread.start()
        assert other.wait(BOUND_SECONDS)
        connection.execute("INSERT INTO t VALUES (3, 'z')")
        mine.set()
    thread.join(BOUND_SECONDS)
    assert seen == [(True, 1)]


def test_whoever_waits_for_another_process_lets_other_threads_look(
    connections: Connections, path: Path
) -> None:
    looked, waits = threading.Event(), 0

    def waited() -> None:
        nonlocal waits
        waits += 1

    def write() -> None:
        with writing(connections, BOUND_SECONDS, waited) as connection:
            assert looked.is_set()
            connection.execute("DELETE FROM t")

    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        thread = threading.Thread(target=write)
        thread.start()
        until(lambda: waits > 0)
        with reading(connections) as connection:
            assert connection.value("SELECT count(*) FROM t") == 2
        looked.set()
        foreign.execute("COMMIT")
    thread.join(BOUND_SECONDS)
    with reading(connections) as connection:
        assert connection.value("SELECT count(*) FROM t") == 0


def test_patience_has_an_end(connections: Connections, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"), writing(connections, 0):
            pytest.fail("it was granted")
    with writing(connections, 0) as connection:
        connection.execute("DELETE FROM t")


def test_a_reader_may_look_twice_at_once(connections: Connections, path: Path) -> None:
    asked = Connections(path, writes=False)
    with reading(asked) as one:
        assert one.value("SELECT count(*) FROM t") == 2
        with writing(connections) as connection:
            connection.execute("DELETE FROM t")
        with reading(asked) as two:
            assert (one.value("SELECT count(*) FROM t"), two.value("SELECT count(*) FROM t")) == (
                2,
                0,
            )
    asked.close()


@pytest.mark.parametrize("writes", [True, False])
@pytest.mark.parametrize("damage", ["garbage", "schema"])
def test_what_could_not_be_opened_is_closed_at_once(
    path: Path, damage: str, *, writes: bool
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = 'CREATE TABLE nonsense('")
    if damage == "garbage":
        path.write_bytes(b"no database at all " * 1000)
    refused = Connections(path, writes=writes)
    before, kept = files_of(Path("/dev/fd")), []
    for _ in range(3):
        with pytest.raises(sqlite3.DatabaseError) as caught, refused.lent():
            pytest.fail("it was opened")
        # With its traceback, and all that this holds.
        kept.append(caught)
    assert files_of(Path("/dev/fd")) == before
    # Who only reads may not take them away.
    sidecars = set() if writes or damage == "garbage" else {f"{path.name}-wal", f"{path.name}-shm"}
    assert files_of(path.parent) == {path.name} | sidecars
