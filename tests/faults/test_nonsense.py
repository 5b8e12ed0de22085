"""Values that no rolloutd has written, in pages that SQLite takes for sound ones."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.daemon.living import living, wait_until_true
from tests.daemon.mounts import immutable
from tests.running import Place, change, dump

PLACES = (
    ("rollouts.path", "X'00'"),
    ("rollouts.path", "NULL"),
    ("rollouts.offset", "'x'"),
    ("rollouts.mtime_ns", "X'00'"),
    ("rollouts.summary", "X'00'"),
    ("threads.title", "X'00'"),
    ("threads.updated_at_ms", "'x'"),
    ("threads.updated_at_ms", "NULL"),
    ("backfill_state.status", "7"),
)
# What each reconcile comes by; the rest is for `verify` to find.
SEEN = [place for place in PLACES if place[0] == "rollouts.path"]
# What the columns may hold: a wrong row, not a damaged one.
FITTING = (("threads.updated_at_ms", "NULL"), ("backfill_state.status", "7"))


def plant(place: Place, where: str, value: str) -> None:
    """Write a value past all that the table forbids."""
    table, column = where.split(".")
    forbidden = f"SELECT sql FROM sqlite_master WHERE name = '{table}'"
    with closing(sqlite3.connect(place.database)) as connection:
        (sql,) = connection.execute(forbidden).fetchone()
    rewrite(place, table, sql.replace("NOT NULL", "").split("CONSTRAINT")[0])
    change(
        place.database,
        f"UPDATE {table} SET {column} = {value} WHERE rowid = (SELECT min(rowid) FROM {table})",
    )
    rewrite(place, table, sql)


def rewrite(place: Place, name: str, sql: str) -> None:
    with closing(sqlite3.connect(place.database)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, name))
        (version,) = connection.execute("PRAGMA schema_version").fetchone()
        connection.execute(f"PRAGMA schema_version = {version + 1}")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in range(3):
        made.thread(number)
    made.index()
    return made


@pytest.mark.parametrize(("where", "value"), PLACES)
def test_verify_says_so_and_repairs_it(place: Place, where: str, value: str) -> None:
    plant(place, where, value)
    for look in ((), ("--deep",)):
        done = place.run("verify", *look)
        assert done.code == (1 if (where, value) in FITTING else 74), done
        assert "Traceback" not in done.stderr
    done = place.run("verify", "--repair")
    assert done.code == 0, done
    assert "Traceback" not in done.stderr
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize(("where", "value"), SEEN)
def test_the_daemon_makes_a_new_one_where_it_comes_by(place: Place, where: str, value: str) -> None:
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        plant(place, where, value)
        wait_until_true(place)
        assert daemon.says("building a new one") == 1
        daemon.stop()
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize(("where", "value"), PLACES)
@pytest.mark.parametrize(
    "command", [("list", "--all"), ("list", "--json"), ("show", "00000000"), ("path", "0")]
)
def test_who_asks_gets_an_answer_or_a_reason(
    place: Place, where: str, value: str, command: tuple[str, ...]
) -> None:
    plant(place, where, value)
    done = place.run(*command)
    assert done.code in {0, 1, 74}, done
    assert "Traceback" not in done.stderr


def test_a_table_that_has_lost_its_name(place: Place) -> None:
    """The driver cannot even say which one: it fails at its own message."""
    with closing(sqlite3.connect(place.database)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET name = CAST(X'B1FF' AS TEXT), sql = 'CREATE' "
            "WHERE name = 'rollouts'"
        )
    for command in (("list",), ("status",), ("verify",), ("show", "0")):
        done = place.run(*command)
        assert done.code in {0, 1, 74}, done
        assert "Traceback" not in done.stderr
    assert place.run("verify", "--repair").code == 0
    assert dump(place.database) == place.fresh()


def test_a_corrupt_database_that_cannot_be_moved_aside(place: Place) -> None:
    folder = place.database.parent
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        place.database.write_bytes(b"this is not a database " * 1000)
        with immutable(folder):
            daemon.wait_for("failing")
            assert daemon.says("cannot be moved aside") == 1
            done = place.run("verify", "--repair")
            assert (done.code, done.stdout) == (74, ""), done
            assert "Traceback" not in done.stderr
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()
