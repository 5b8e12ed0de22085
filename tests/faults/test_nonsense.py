"""Values that no rolloutd has written, in pages that SQLite takes for sound ones."""

import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rolloutd.state.process import boot
from rolloutd.state.schema import THREADS
from tests.daemon.living import living, wait_until_true
from tests.daemon.mounts import immutable
from tests.running import Done, Place, change, dump, rows, thread_id, wait_until

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


ASKED = (
    ("list", "--all"),
    ("list", "--all", "--json"),
    ("list", "--all", "--sort", "created", "--limit", "1"),
    ("list", "--all", "--sort", "updated", "--order", "asc", "--limit", "1"),
    ("show", thread_id(0)),
    ("show", thread_id(0), "--json"),
    ("path", thread_id(0)),
    ("status",),
)


def ask(place: Place, command: tuple[str, ...]) -> Done:
    """What a person asks of all threads, or of the first one; there is an answer, or a reason."""
    done = place.run(*command)
    assert done.code in {0, 74}, done
    assert "Traceback" not in done.stderr
    assert done.stdout if done.code == 0 else len(done.stderr.splitlines()) == 1, done
    return done


@pytest.mark.parametrize(("where", "value"), PLACES)
def test_who_asks_gets_an_answer_or_a_reason(place: Place, where: str, value: str) -> None:
    plant(place, where, value)
    for command in ASKED:
        ask(place, command)


@pytest.mark.parametrize("value", ["NULL", "'x'"])
def test_whatever_a_thread_s_columns_hold_is_said_or_refused(place: Place, value: str) -> None:
    sound = place.database.read_bytes()
    for column in THREADS.columns:
        if column not in THREADS.key:
            place.database.write_bytes(sound)
            plant(place, f"threads.{column}", value)
            ask(place, ("show", thread_id(0)))


# What is taken from the database, and whether whoever opens it to write just makes it again.
TAKEN = {
    "the progress": ("DELETE FROM backfill_state", False),
    "the revision": ("DELETE FROM alembic_version", False),
    "names": ("DROP TABLE session_names", False),
    "tools": ("DROP TABLE thread_dynamic_tools", False),
    "edges": ("DROP TABLE thread_spawn_edges", False),
    "the home": ("DROP TABLE home", False),
    "threads": ("DROP TABLE threads", False),
    "rollouts": ("DROP TABLE rollouts", False),
    "a column": ("ALTER TABLE threads DROP COLUMN originator", False),
    "an index": ("DROP INDEX idx_rollouts_thread", True),
    "an order": ("DROP INDEX idx_threads_visible_recency_at_ms", True),
}


def indexes(place: Place) -> list[tuple[str]]:
    """In the order in which they were made, which SQLite's choice depends on."""
    return rows(
        place.database, "SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY rowid"
    )


@pytest.mark.parametrize("what", TAKEN)
def test_what_is_taken_away_is_missed_and_made_again(place: Place, what: str) -> None:
    whole = indexes(place)
    statement, is_made_again = TAKEN[what]
    change(place.database, statement)
    for command in ASKED:
        ask(place, command)
    for look in ((), ("--deep",)):
        done = place.run("verify", *look)
        assert done.code == 74, done
        assert len(done.stderr.splitlines()) == 1, done
    done = place.run("verify", "--repair", "--json")
    assert done.code == 0, done
    assert (done.document["rebuilt"] is None) == is_made_again
    assert dump(place.database) == place.fresh()
    assert sorted(indexes(place)) == sorted(whole)


@pytest.mark.parametrize("what", TAKEN)
@pytest.mark.parametrize("command", [("backfill",), ("backfill", "--rebuild")])
def test_a_backfill_makes_again_what_is_taken_away(
    place: Place, what: str, command: tuple[str, ...]
) -> None:
    change(place.database, TAKEN[what][0])
    done = place.run(*command)
    assert done.code == 0, done
    assert dump(place.database) == place.fresh()
    assert place.run("verify", "--deep").code == 0


@pytest.mark.parametrize("what", ["the progress", "threads", "a column"])
def test_the_daemon_makes_again_what_is_taken_away(place: Place, what: str) -> None:
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        change(place.database, TAKEN[what][0])
        place.thread(7)
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_the_daemon_puts_progress_right_that_somebody_has_altered(place: Place) -> None:
    ask_progress = "SELECT scanned, total, last_watermark FROM backfill_state"
    told = rows(place.database, ask_progress)
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1"):
        change(
            place.database,
            "UPDATE backfill_state SET scanned = 7, total = 9, last_watermark = 'x'",
        )
        wait_until(lambda: rows(place.database, ask_progress) == told, "the progress is right")


def test_what_others_have_added_is_theirs(place: Place) -> None:
    for statement in (
        "CREATE TABLE notes (id INTEGER, text TEXT)",
        "INSERT INTO notes VALUES ('no number', X'05')",
        "ALTER TABLE threads ADD COLUMN colour INTEGER",
        "UPDATE threads SET colour = 'blue'",
        "CREATE INDEX by_colour ON threads (colour)",
        "ALTER TABLE home ADD COLUMN colour INTEGER",
        "ALTER TABLE session_names ADD COLUMN colour INTEGER",
        # So that there is something to write.
        "DELETE FROM home",
        "DELETE FROM session_names",
    ):
        change(place.database, statement)
    place.backfill()
    done = place.run("verify", "--deep")
    assert (done.code, done.stderr) == (0, ""), done
    with living(place) as daemon:
        change(place.database, "UPDATE threads SET title = 'another'")
        daemon.hang_up()
        wait_until(lambda: daemon.says("somebody else has changed"), "all was looked at")
        # Of which of the two was changed the files are asked next.
        wait_until(lambda: place.run("verify").code == 0, "the files were read again")
        daemon.stop()
    assert place.run("verify").code == 0
    assert rows(place.database, "SELECT * FROM notes") == [("no number", b"\x05")]
    assert ("blue",) in rows(place.database, "SELECT colour FROM threads")


def test_the_order_of_indexes_is_restored_with_them(place: Place) -> None:
    """Of two that would do as well SQLite takes the one made last."""
    of_threads = [name for name in indexes(place) if name[0].startswith("idx_threads")]
    change(place.database, "DROP INDEX idx_threads_visible_recency_at_ms")
    place.backfill()
    assert [name for name in indexes(place) if name[0].startswith("idx_threads")] == of_threads


# An owner that is none, or half of one.
TORN = (
    "owner_token = 'zzz'",
    "owner_token = 'zzz', lease_expires_at_ms = 9000000000000",
    "owner_pid = 1, owner_host = 'there'",
    "lease_expires_at_ms = 9000000000000",
)


@pytest.mark.parametrize("torn", TORN)
def test_half_an_owner_holds_nothing(place: Place, torn: str) -> None:
    change(place.database, f"UPDATE backfill_state SET {torn}")
    for command in ASKED:
        assert ask(place, command).code == 0
    assert place.run("verify").code == 1
    place.backfill(ROLLOUTD_BACKFILL_WAIT_SECONDS="0")
    assert dump(place.database) == place.fresh()
    change(place.database, f"UPDATE backfill_state SET {torn}")
    assert place.run("verify", "--repair", "--wait-seconds", "0").code == 0
    assert dump(place.database) == place.fresh()


def test_a_pid_that_no_process_can_have(place: Place) -> None:
    change(
        place.database,
        "UPDATE backfill_state SET owner_token = 'zzz', owner_host = ?, owner_boot = ?, "
        "owner_pid = 9000000000000, owner_since_ms = 1, lease_expires_at_ms = 9000000000000",
        socket.gethostname(),
        boot(),
    )
    ask(place, ("status",))
    place.backfill(ROLLOUTD_BACKFILL_WAIT_SECONDS="0")


def test_a_tool_whose_schema_is_no_json_is_told_as_it_is(place: Place) -> None:
    values = (thread_id(0), 0, "name", "words", "{bad")
    change(
        place.database,
        "INSERT INTO thread_dynamic_tools (thread_id, position, name, description, input_schema)"
        " VALUES (?, ?, ?, ?, ?)",
        *values,
    )
    ask(place, ("show", thread_id(0)))
    document = ask(place, ("show", thread_id(0), "--json")).document
    assert [tool["input_schema"] for tool in document["tools"]] == ["{bad"]


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
            wait_until(lambda: daemon.says("cannot be moved aside") == 1, "it is said", 5)
            done = place.run("verify", "--repair")
            assert (done.code, done.stdout) == (74, ""), done
            assert "Traceback" not in done.stderr
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()
