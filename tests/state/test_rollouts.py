"""Rows of `rollouts`: what is written is what is read."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from rolloutd.records import PARSER_VERSION, Cursor, DynamicTool, FileStamp, Known, Reading, Summary
from rolloutd.state import rollouts, tally
from rolloutd.state.connections import Connection
from rolloutd.state.database import StateDatabase
from rolloutd.state.threads import names_of, write_threads

CURSOR = Cursor(
    FileStamp(device=1, inode=2, size=30, mtime_ns=1 << 62, ctime_ns=5), 20, "head:tail"
)
SUMMARY = Summary(
    thread_id="t",
    created_at_ms=-1,
    title="ünïcödé \U0001f980 \u2028 \x00",
    lines=3,
    parse_errors={"utf8": 2, "json": 1},
    dynamic_tools=[DynamicTool("a", "b", '{"z":1,"a":2}', defer_loading=True)],
)


def reading(path: str, **changes: object) -> Reading:
    given: dict[str, object] = {"cursor": CURSOR, "summary": SUMMARY} | changes
    return Reading(path, path.startswith("archived"), "plain", **given)  # type: ignore[arg-type]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with (
        StateDatabase.open_writer(tmp_path / "state.sqlite") as database,
        database.transaction() as opened,
    ):
        yield opened


def test_reading_can_go_on_from_what_was_written(connection: Connection) -> None:
    rollouts.upsert_rollouts(connection, [reading("sessions/a")])
    assert rollouts.known(connection, "sessions/a") == Known(CURSOR, SUMMARY)
    assert rollouts.known(connection, "sessions/b") is None


def test_it_goes_on_from_before_an_unfinished_line(connection: Connection) -> None:
    before = Summary(thread_id="t", lines=2)
    rollouts.upsert_rollouts(connection, [reading("sessions/a", resume=before)])
    assert rollouts.known(connection, "sessions/a") == Known(CURSOR, before)
    [(_, [file])] = rollouts.files_of(connection, ["t"])
    assert file.summary == SUMMARY


def test_an_older_parsers_summary_is_no_place_to_go_on_from(connection: Connection) -> None:
    rollouts.upsert_rollouts(connection, [reading("sessions/a")])
    connection.execute("UPDATE rollouts SET parser_version = ?", (PARSER_VERSION - 1,))
    assert rollouts.known(connection, "sessions/a") is None
    assert dict(rollouts.seen(connection))["sessions/a"].parser_version == PARSER_VERSION - 1


def test_the_last_reading_of_a_file_counts(connection: Connection) -> None:
    rollouts.upsert_rollouts(connection, [reading("sessions/a"), reading("sessions/b")])
    failed = reading("sessions/a", cursor=None, summary=Summary(), error="gone mad")
    rollouts.upsert_rollouts(connection, [failed])
    row = dict(rollouts.seen(connection))["sessions/a"]
    assert (row.error, row.stamp) == ("gone mad", None)
    assert rollouts.known(connection, "sessions/a") is None
    assert rollouts.threads_of(connection, ["sessions/a"]) == set()
    assert rollouts.threads_of(connection, ["sessions/a", "sessions/b"]) == {"t"}


def test_rows_that_say_what_is_known_are_left_out(connection: Connection) -> None:
    stamps = {name: CURSOR.stamp._replace(inode=number) for number, name in enumerate("abcde")}
    rollouts.upsert_rollouts(
        connection, [reading(name, cursor=Cursor(stamp, 20, "")) for name, stamp in stamps.items()]
    )
    rollouts.upsert_rollouts(connection, [reading("f", cursor=None, error="gone mad")])
    connection.execute("UPDATE rollouts SET size = 'much' WHERE path = 'b'")
    connection.execute("UPDATE rollouts SET parser_version = 0 WHERE path = 'c'")
    known = {name: stamp.packed() for name, stamp in stamps.items() if name != "e"}
    known["d"] = CURSOR.stamp._replace(size=31).packed()
    unlike: dict[str, bytes | None] = {**known, "f": None}
    found = dict(rollouts.seen_unless(connection, unlike))
    assert sorted(found) == ["b", "c", "d", "e", "f"]
    assert sorted(unlike) == ["b", "c", "d", "f"]
    assert found["d"].stamp == stamps["d"]


def test_the_thread_of_a_failed_file_is_nobodys(connection: Connection) -> None:
    rollouts.upsert_rollouts(connection, [reading("sessions/a", error="half a file")])
    assert list(rollouts.files_of(connection, ["t"])) == []


def test_the_files_of_threads_come_in_the_order_of_bytes(connection: Connection) -> None:
    paths = ["sessions/b", "sessions/é", "archived_sessions/z", "sessions/B", "sessions/\uffee"]
    other = Summary(thread_id="a")
    rollouts.upsert_rollouts(
        connection, [*map(reading, paths), reading("sessions/0", summary=other)]
    )
    found = list(rollouts.files_of(connection, ["t", "a", "nobody"]))
    assert [(name, [file.path for file in files]) for name, files in found] == [
        ("a", ["sessions/0"]),
        ("t", sorted(paths, key=str.encode)),
    ]
    assert [file.archived for file in found[1][1]] == [True, False, False, False, False]


def test_counts_and_failures(connection: Connection) -> None:
    assert tally.totals(connection) == tally.Totals(0, 0, 0, 0, None)
    failed = [
        reading(path, cursor=None, summary=Summary(), error=f"no {path}")
        for path in ("sessions/y", "sessions/x")
    ]
    rollouts.upsert_rollouts(connection, [reading("sessions/a"), *failed])
    assert tally.totals(connection) == tally.Totals(1, 2, 3, 30, "sessions/y")
    everything = [("sessions/x", "no sessions/x"), ("sessions/y", "no sessions/y")]
    assert tally.failures(connection) == everything
    assert tally.failures(connection, 1) == everything[:1]
    rollouts.delete_rollouts(connection, ["sessions/x", "sessions/a", "sessions/nothing"])
    assert tally.totals(connection) == tally.Totals(0, 1, 0, 0, "sessions/y")
    rollouts.delete_rollouts(connection, [])
    assert tally.failures(connection) == everything[1:]


def test_any_number_of_files_may_be_asked_for(connection: Connection) -> None:
    """Of parameters SQLite takes a limited number, which is lower in some builds of it."""
    connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 100)
    paths = [f"sessions/\N{CRAB}'\"{number}" for number in range(3000)]
    for path in paths:
        rollouts.upsert_rollouts(connection, [reading(path)])
    assert sorted(path for path, _ in rollouts.seen(connection, paths)) == sorted(paths)
    assert rollouts.threads_of(connection, paths) == {"t"}
    assert [file.path for file in rollouts.files_at(connection, paths[::-1])] == sorted(paths)
    assert rollouts.file_counts(connection, [*paths, "t"], 3000) == {"t": 3000}
    assert rollouts.file_counts(connection, ["t"], 3001) == {}
    assert rollouts.paths_of(connection, "t") == sorted(paths)
    write_threads(connection, [], paths)
    assert names_of(connection, paths) == {}
    rollouts.delete_rollouts(connection, paths[1:])
    assert [path for path, _ in rollouts.seen(connection)] == paths[:1]
