"""Opening: permissions, pragmas, what is refused and what is moved aside."""

import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rolloutd.errors import DatabaseUnavailable
from rolloutd.settings import Settings
from rolloutd.state.connections import Connection
from rolloutd.state.database import StateDatabase
from rolloutd.state.faults import CorruptDatabase, explanation
from rolloutd.state.file import identity_of, set_aside
from rolloutd.supervisor import run_backfill
from tests.running import Place, change, dump, rows, write

SIDECARS = ("", "-wal", "-shm")


def scalar(connection: Connection, query: str) -> object:
    return connection.value(query)


def modes(path: Path) -> dict[str, int]:
    """Permissions of a database's files and of its folder."""
    files = [path.parent, *(path.with_name(path.name + each) for each in SIDECARS)]
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in files if each.exists()}


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o277, 0o777])
def test_private_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "state" / "state.sqlite"
    with umask(mask), StateDatabase.open_writer(path) as database:
        with database.transaction() as connection:
            connection.execute("UPDATE backfill_state SET updated_at = 1")
        private = {f"state.sqlite{each}": 0o600 for each in SIDECARS}
        assert modes(path) == {"state": 0o700, **private}


@pytest.mark.parametrize("mask", ["0000", "0077", "0777"])
def test_private_whatever_the_umask_of_a_user(tmp_path: Path, mask: str) -> None:
    """As a user without root's right to open what has no permissions."""
    place = Place.make(tmp_path)
    shell = ("sh", "-c", f'umask {mask}; exec "$@"', "sh")
    done = place.run("backfill", prefix=(*shell, *without_privileges()))
    assert done.code == 0, done
    assert modes(place.database)["state.sqlite"] == 0o600
    assert modes(place.database)["state"] == 0o700


@pytest.mark.parametrize(
    "name", ["a#b", "a?mode=ro", "a%41b", "a%2Fb", "100%25", "a%00b", "a b&c=d;e", "ä\n"]
)
def test_the_path_is_the_path_whatever_is_in_it(tmp_path: Path, name: str) -> None:
    """Nothing of it may be taken for a part of an address: the index would lie elsewhere."""
    path = tmp_path / name / f"{name.replace('/', '')}.sqlite"
    with StateDatabase.open_writer(path) as database:
        with database.transaction() as connection:
            connection.execute("UPDATE backfill_state SET updated_at = 1")
        database.refuse_other_file()
        assert set(modes(path).values()) == {0o600, 0o700}
    assert path.stat().st_size > 0
    assert [each.name for each in tmp_path.iterdir()] == [name]
    with StateDatabase.open_reader(path) as database, database.reading() as connection:
        assert scalar(connection, "SELECT updated_at FROM backfill_state") == 1


def test_a_loose_file_is_tightened_and_the_folder_left_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    tmp_path.chmod(0o755)
    with StateDatabase.open_writer(path) as database, database.transaction() as connection:
        connection.execute("UPDATE backfill_state SET updated_at = 1")
        for sidecar in SIDECARS:
            path.with_name(path.name + sidecar).chmod(0o666)
    path.chmod(0o666)
    with StateDatabase.open_writer(path):
        assert set(modes(path).values()) == {0o600, 0o755}
        assert modes(path)[tmp_path.name] == 0o755


def test_pragmas(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateDatabase.open_writer(path) as database:
        with database.transaction() as connection:
            assert scalar(connection, "PRAGMA journal_mode") == "wal"
            assert scalar(connection, "PRAGMA synchronous") == 1
            assert scalar(connection, "PRAGMA foreign_keys") == 1
            assert scalar(connection, "PRAGMA busy_timeout") == 500  # the rest of the wait is ours
        with StateDatabase.open_reader(path) as reader, reader.reading() as connection:
            assert scalar(connection, "PRAGMA journal_mode") == "wal"
            assert scalar(connection, "PRAGMA busy_timeout") == 500  # the rest of the wait is ours


def test_a_transaction_is_taken_at_once_and_undone_by_an_error(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateDatabase.open_writer(path) as database:
        with (
            database.transaction(),
            closing(sqlite3.connect(path, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("BEGIN IMMEDIATE")
        with pytest.raises(KeyError), database.transaction() as connection:  # noqa: PT012
            connection.execute("UPDATE backfill_state SET updated_at = 77")
            raise KeyError
        with database.reading() as connection:
            assert scalar(connection, "SELECT updated_at FROM backfill_state") == 0


def test_a_reader_sees_one_state_while_a_writer_writes(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    query = "SELECT updated_at FROM backfill_state"
    with (
        StateDatabase.open_writer(path) as writer,
        StateDatabase.open_reader(path) as reader,
        reader.reading() as look,
    ):
        assert scalar(look, query) == 0
        with writer.transaction() as connection:
            connection.execute("UPDATE backfill_state SET updated_at = 5")
        assert scalar(look, query) == 0
        with reader.reading() as later:
            assert scalar(later, query) == 5


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateDatabase.open_writer(path):
        pass
    with (
        StateDatabase.open_reader(path) as reader,
        pytest.raises(DatabaseUnavailable, match="readonly"),
        reader.reading() as connection,
    ):
        connection.execute("UPDATE backfill_state SET updated_at = 5")


def test_a_newer_revision_is_refused_by_all(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    with StateDatabase.open_writer(place.database):
        pass
    change(place.database, "UPDATE alembic_version SET version_num = '9999'")
    before = place.database.read_bytes()
    for command in ("backfill", "status"):
        done = place.run(command)
        assert (done.code, done.stdout) == (74, "")
        assert "9999" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert "newer" in place.run("backfill").stderr
    assert place.database.read_bytes() == before


CODEX_TABLES = (
    "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL)",
    "CREATE TABLE threads (id TEXT PRIMARY KEY, rollout_path TEXT NOT NULL)",
    "CREATE TABLE backfill_state (id INTEGER PRIMARY KEY CHECK (id = 1), status TEXT NOT NULL)",
    "INSERT INTO threads VALUES ('a', '/b')",
)
ALEMBIC_TABLES = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "CREATE TABLE customers (id INTEGER PRIMARY KEY)",
)


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(CODEX_TABLES, id="codex"),
        pytest.param(
            (*ALEMBIC_TABLES, "INSERT INTO alembic_version VALUES ('0001')"),
            id="another alembic program at a revision of our name",
        ),
        pytest.param(
            (*ALEMBIC_TABLES, "INSERT INTO alembic_version VALUES ('ae1027a6acf')"),
            id="another alembic program",
        ),
        pytest.param(ALEMBIC_TABLES, id="another alembic program without revision"),
        pytest.param(("CREATE VIEW one AS SELECT 1",), id="only a view"),
    ],
)
def test_another_programs_database_is_left_alone(
    tmp_path: Path, statements: tuple[str, ...]
) -> None:
    path = tmp_path / "state.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(DatabaseUnavailable) as caught, StateDatabase.open_writer(path):
        pass
    assert not isinstance(caught.value, CorruptDatabase)
    assert path.read_bytes() == before
    assert modes(path)["state.sqlite"] == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["state.sqlite"]


def damaged(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize(
    "damage",
    [
        *("garbage", "a page of garbage", "truncated", "magic", "page size", "schema", "zeros"),
        *("schema format", "write version"),
    ],
)
def test_a_corrupt_database_is_moved_aside_and_rebuilt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    place = Place.make(tmp_path)
    for number in range(3):
        place.thread(number)
    expected = place.fresh()
    place.index()
    path = place.database
    match damage:
        case "garbage":
            path.write_bytes(b"this is not a database, and never was\n" * 100)
        case "a page of garbage":
            path.write_bytes(bytes(range(256)) * 16)
        case "truncated":
            os.truncate(path, 5000)
        case "magic":
            damaged(path, 0, b"SQLite forgot 3\0")
        case "page size":
            damaged(path, 16, b"\x00\x07")
        case "schema":
            damaged(path, 100, b"\xff" * 60)
        case "schema format":
            damaged(path, 47, b"\x05")
        case "write version":
            damaged(path, 18, b"\x03")
        case _:
            path.write_bytes(bytes(8192))
    path.with_name(path.name + "-wal").write_bytes(b"left over")
    content = path.read_bytes()

    settings = Settings.model_construct(
        codex_home=place.home, database=path, model_provider="openai"
    )
    with caplog.at_level(logging.WARNING, "rolloutd"):
        report = run_backfill(settings, rebuild=False)
    assert (report.status, report.upserted) == ("complete", 3)
    [moved] = [
        each
        for each in path.parent.iterdir()
        if ".corrupt-" in each.name and not each.name.endswith(("-wal", "-shm"))
    ]
    assert moved.name in caplog.text
    assert str(tmp_path) not in caplog.text
    assert moved.read_bytes() == content
    assert stat.S_IMODE(moved.stat().st_mode) == 0o600
    assert dump(path) == expected


def test_what_may_only_be_read_is_not_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateDatabase.open_writer(path):
        pass
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY
    assert not isinstance(explanation(path, error), CorruptDatabase)
    damaged(path, 18, b"\x03")
    assert isinstance(explanation(path, error), CorruptDatabase)


def test_damage_in_the_middle_is_found_when_it_is_met(tmp_path: Path) -> None:
    """Not the header, which opening looks at, but the rows that only the work looks at."""
    place = Place.make(tmp_path)
    for number in range(300):
        place.thread(number)
    place.index()
    for number in range(0, 300, 2):
        place.thread(number + 1000)
    change(place.database, "PRAGMA journal_mode = DELETE")
    [(root,)] = rows(place.database, "SELECT rootpage FROM sqlite_master WHERE name = 'rollouts'")
    [(size,)] = rows(place.database, "PRAGMA page_size")
    for page in range(root, place.database.stat().st_size // size + 1):
        damaged(place.database, (page - 1) * size, b"\xee" * 64)
    done = place.run("backfill", "--json")
    assert done.code == 0, done
    assert done.document["upserted"] == 450
    [aside] = place.database.parent.glob("*.corrupt-*")
    assert aside.name in done.stderr
    assert dump(place.database) == place.fresh()


def test_set_aside_takes_the_sidecars_and_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    for content in ("first", "second"):
        for sidecar in SIDECARS:
            path.with_name(path.name + sidecar).write_text(content + sidecar)
        target = set_aside(path, identity_of(path))
        assert target is not None
        for sidecar in SIDECARS:
            assert target.with_name(target.name + sidecar).read_text() == content + sidecar
    assert len(list(tmp_path.iterdir())) == 6


def test_a_database_inside_the_home_is_refused(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    inside = place.home / "state.sqlite"
    linked = tmp_path / "link"
    linked.symlink_to(place.home)
    for path in (inside, linked / "state.sqlite", place.home / "deep" / "er" / "state.sqlite"):
        done = place.run("backfill", ROLLOUTD_DATABASE=str(path))
        assert done.code == 78
        assert str(place.home) in done.stderr
    assert [each.name for each in place.home.iterdir()] == ["sessions"]


def test_the_index_of_another_home_is_refused_by_name(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    place.thread(1)
    place.index()
    before = dump(place.database)
    other = tmp_path / "other"
    write(other, "sessions/rollout-x.jsonl", number=2)
    done = place.run("backfill", CODEX_HOME=str(other))
    assert (done.code, done.stdout) == (78, "")
    assert str(place.home) in done.stderr
    assert str(other) in done.stderr
    assert dump(place.database) == before


def without_privileges() -> tuple[str, ...]:
    """A command to put in front: root obeys permissions too."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    place.database.parent.mkdir(mode=0o500)
    done = place.run("backfill", prefix=without_privileges())
    assert (done.code, done.stdout) == (74, "")
    assert str(place.database) in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_database_that_cannot_be_written(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    place.index()
    place.database.chmod(0o400)
    done = place.run("backfill", prefix=without_privileges())
    assert (done.code, done.stdout) == (74, "")
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", ["directory", "below a file"])
def test_a_database_that_cannot_be(tmp_path: Path, kind: str) -> None:
    place = Place.make(tmp_path)
    path = tmp_path / "here"
    if kind == "directory":
        path.mkdir()
    else:
        path.write_text("a file")
        path = path / "state.sqlite"
    for command in ("backfill", "status"):
        done = place.run(command, ROLLOUTD_DATABASE=str(path))
        assert (done.code, done.stdout) == (74, ""), done
        assert len(done.stderr.splitlines()) == 1


def test_status_changes_nothing(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    place.thread(1)
    place.index()
    before = place.database.read_bytes()
    place.status()
    place.status()
    assert place.database.read_bytes() == before


def test_status_without_a_database(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    done = place.run("status", "--json")
    assert (done.code, done.stdout) == (74, "")
    assert "no database yet" in done.stderr
    assert not place.database.parent.exists()


@pytest.mark.parametrize("sidecars", [True, False])
def test_status_in_a_folder_that_cannot_be_written(tmp_path: Path, *, sidecars: bool) -> None:
    """A WAL file without its sidecars can be read all the same."""
    place = Place.make(tmp_path)
    place.thread(1)
    place.index()
    wal = place.database.with_name(place.database.name + "-wal")
    with closing(sqlite3.connect(place.database)) as connection:
        if sidecars:
            connection.execute("UPDATE threads SET archived = 1")
            connection.commit()
        assert wal.exists() is sidecars
        place.database.parent.chmod(0o500)
        done = place.run("status", "--json", prefix=without_privileges())
    assert done.code == 0, done
    assert done.document["threads"] == {"active": int(not sidecars), "archived": int(sidecars)}


def test_a_full_disk_stops_with_a_clear_message_and_the_next_run_goes_on(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    for number in range(200):
        place.thread(number)
    shell = ("sh", "-c", 'ulimit -f 400; exec "$@"', "sh")
    done = place.run("backfill", prefix=shell, ROLLOUTD_BACKFILL_BATCH_SIZE="10")
    assert done.code == 74, done
    assert "Traceback" not in done.stderr
    assert "corrupt" not in done.stderr
    place.index()
    assert dump(place.database) == place.fresh()


def test_a_log_that_is_deleted_is_noticed_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateDatabase.open_writer(path) as database:
        database.refuse_other_file()
        with database.transaction() as connection:
            connection.execute("UPDATE backfill_state SET updated_at = 7")
        path.with_name("state.sqlite-wal").unlink()
        with pytest.raises(DatabaseUnavailable, match="its log was deleted"):
            database.refuse_other_file()
    assert rows(path, "SELECT updated_at FROM backfill_state") == [(7,)]


def test_what_takes_its_place_is_not_mixed_with_what_was_there(tmp_path: Path) -> None:
    """SQLite itself takes a log for that of whatever lies beside it."""
    path, other = tmp_path / "state.sqlite", tmp_path / "other.sqlite"
    with StateDatabase.open_writer(other):
        pass
    before = other.read_bytes()
    with StateDatabase.open_writer(path) as database:
        with database.transaction() as connection:
            connection.execute("UPDATE backfill_state SET updated_at = 7")
        other.rename(path)
        with pytest.raises(DatabaseUnavailable, match="deleted or replaced"):
            database.refuse_other_file()
    assert [each.name for each in tmp_path.iterdir()] == ["state.sqlite"]
    assert path.read_bytes() == before
