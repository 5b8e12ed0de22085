"""Reading with the driver alone: what is opened, and what is said of what is not."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rolloutd.errors import ConfigurationError, DatabaseRefused, DatabaseUnavailable
from rolloutd.state.database import StateDatabase
from rolloutd.state.faults import CorruptDatabase, DatabaseAbsent, DatabaseBusy
from rolloutd.state.home import bind_home
from rolloutd.state.reader import StateReader
from rolloutd.state.revision import APPLICATION_ID, HEAD
from tests.rollouts import without_privileges
from tests.running import change


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with nothing in it but its tables."""
    path = tmp_path / "state" / "state.sqlite"
    with StateDatabase.open_writer(path):
        pass
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process has the database for itself."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        yield


def test_one_value_and_many_rows(path: Path) -> None:
    with StateReader.open(path) as reader:
        assert reader.value("SELECT status FROM backfill_state") == "pending"
        assert reader.value("SELECT id FROM threads") is None
        [row] = reader.rows("SELECT id, status FROM backfill_state WHERE id = ?", (1,))
        assert dict(row) == {"id": 1, "status": "pending"}


def test_nothing_can_be_written(path: Path) -> None:
    with (
        StateReader.open(path) as reader,
        pytest.raises(DatabaseUnavailable, match="readonly"),
    ):
        reader.rows("UPDATE backfill_state SET status = 'complete'")


def test_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseAbsent, match="`rolloutd backfill` makes it"):
        StateReader.open(tmp_path / "no" / "state.sqlite").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.touch()
    with pytest.raises(DatabaseAbsent, match="nothing in it yet"):
        StateReader.open(path).__enter__()
    assert path.read_bytes() == b""


def test_another_programs_database(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE threads (id TEXT)")
    with pytest.raises(DatabaseRefused, match="another program's"):
        StateReader.open(path).__enter__()


@pytest.mark.parametrize(
    ("revision", "words"), [("0001", "this rolloutd reads.*`rolloutd backfill`"), ("9999", "newer")]
)
def test_another_revision(path: Path, revision: str, words: str) -> None:
    change(path, "UPDATE alembic_version SET version_num = ?", revision)
    with pytest.raises(DatabaseUnavailable, match=rf"{words}") as caught:
        StateReader.open(path).__enter__()
    assert isinstance(caught.value, DatabaseRefused) == (revision > HEAD)
    assert HEAD in str(caught.value)


@pytest.mark.parametrize("at", [0, 100])
def test_garbage(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"garbage!" * 500)
    with pytest.raises(CorruptDatabase, match=r"state\.sqlite: "):
        StateReader.open(path).__enter__()


def test_no_folder_but_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseUnavailable):
        StateReader.open(tmp_path / "file" / "state.sqlite").__enter__()


def test_a_lock_is_waited_for_and_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rolloutd.state.reader._PATIENCE_SECONDS", 0.1)
    with locked(path), pytest.raises(DatabaseBusy, match="another process"):
        StateReader.open(path).__enter__()
    with StateReader.open(path) as reader:
        assert reader.value("PRAGMA application_id") == APPLICATION_ID


def test_where_nothing_may_be_made(path: Path) -> None:
    """A folder that cannot be written to, without the WAL's sidecars."""
    path.parent.chmod(0o500)
    code = """
import sys
from pathlib import Path
from rolloutd.state.reader import StateReader
with StateReader.open(Path(sys.argv[1])) as reader:
    print(reader.value("SELECT status FROM backfill_state"))
"""
    assert without_privileges(code, os.fspath(path)) == "pending\n"
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_what_must_not_be_read(path: Path) -> None:
    path.chmod(0)
    code = """
import sys
from pathlib import Path
from rolloutd.errors import DatabaseUnavailable
from rolloutd.state.reader import StateReader
try:
    StateReader.open(Path(sys.argv[1])).__enter__()
except DatabaseUnavailable as error:
    print(error)
"""
    assert "unable to open" in without_privileges(code, os.fspath(path))


def test_one_moment(path: Path) -> None:
    query = "SELECT updated_at FROM backfill_state"
    with StateReader.open(path) as reader:
        with reader.at_one_moment():
            assert reader.value(query) == 0
            change(path, "UPDATE backfill_state SET updated_at = 7")
            assert reader.value(query) == 0
        assert reader.value(query) == 7


def test_the_home_that_it_is_the_index_of(path: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with StateReader.open(path) as reader:
        reader.refuse_other_home(tmp_path / "b")
    with StateDatabase.open_writer(path) as database, database.transaction() as connection:
        bind_home(connection, str(tmp_path / "a"), "openai")
    with StateReader.open(path) as reader:
        reader.refuse_other_home(tmp_path / "a")
        reader.refuse_other_home(tmp_path / "link")
        with pytest.raises(ConfigurationError, match=r"the index of .*a, not of .*b"):
            reader.refuse_other_home(tmp_path / "b")


@pytest.mark.parametrize(
    ("text", "words", "holds"),
    [
        ("Fix the Login", "the login", 1),
        ("ZUSAMMENFASSUNG: ÜNÏCÖDÉ", "ünïcödé", 1),
        ("Straße", "STRASSE", 1),
        ("100% sure_", "%", 1),
        ("sure", "_", 0),
        (None, "x", 0),
        ("", "x", 0),
    ],
)
def test_words_are_found_in_any_case(path: Path, text: str | None, words: str, holds: int) -> None:
    with StateReader.open(path) as reader:
        assert reader.value("SELECT holds(?, ?)", (text, words.casefold())) == holds
