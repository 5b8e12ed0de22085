"""Rows of `threads`, and of the tables that hang on them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rolloutd.records import DynamicTool, FileSummary, Reading, Summary, ThreadRecord
from rolloutd.rollout.merge import merge
from rolloutd.state.connections import Connection
from rolloutd.state.database import StateDatabase
from rolloutd.state.rollouts import upsert_rollouts
from rolloutd.state.threads import (
    ThreadCounts,
    count_threads,
    delete_strays,
    names_of,
    replace_names,
    write_threads,
)

TOOLS = (DynamicTool("z", "last letter", "{}"), DynamicTool("a", "first", "[1]", True, "space"))


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with (
        StateDatabase.open_writer(tmp_path / "state.sqlite") as database,
        database.transaction() as opened,
    ):
        yield opened


def record(thread_id: str, **changes: Any) -> ThreadRecord:
    files = [FileSummary("sessions/x", False, 1_700_000_000_123_456_789, Summary(thread_id))]
    made = merge(files, home="/home", default_provider="openai", session_name=None)
    return msgspec.structs.replace(made, **changes)


def ask(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def test_a_record_is_a_row(connection: Connection) -> None:
    written = record("a", title="t", tokens_used=2**63 - 1, archived=True, archived_at=7)
    write_threads(connection, [written], ())
    [row] = connection.records("SELECT * FROM threads")
    plain = msgspec.structs.asdict(written)
    for name, value in row.items():
        assert value == plain[name], name
    assert plain.keys() - row.keys() == {"dynamic_tools", "parent_thread_id"}


def test_writing_again_leaves_nothing_of_before(connection: Connection) -> None:
    before = record("a", title="old", dynamic_tools=TOOLS, parent_thread_id="p", git_sha="s")
    write_threads(connection, [before, record("b", dynamic_tools=TOOLS)], ())
    write_threads(connection, [record("a")], ())
    assert ask(connection, "SELECT title, git_sha FROM threads WHERE id = 'a'") == [("", None)]
    tools = ask(connection, "SELECT * FROM thread_dynamic_tools ORDER BY position")
    assert tools == [
        ("b", 0, "z", "last letter", "{}", 0, None),
        ("b", 1, "a", "first", "[1]", 1, "space"),
    ]
    assert ask(connection, "SELECT * FROM thread_spawn_edges") == []


def test_edges_go_from_parent_to_child_and_follow_it(connection: Connection) -> None:
    write_threads(connection, [record("c", parent_thread_id="p")], ())
    assert ask(connection, "SELECT * FROM thread_spawn_edges") == [("p", "c", "open")]
    write_threads(connection, [record("c", parent_thread_id="q")], ())
    assert ask(connection, "SELECT * FROM thread_spawn_edges") == [("q", "c", "open")]


def test_a_thread_that_is_gone_takes_all_with_it(connection: Connection) -> None:
    gone = record("a", dynamic_tools=TOOLS, parent_thread_id="p")
    write_threads(connection, [gone, record("b")], ())
    write_threads(connection, [], ["a", "never there"])
    assert ask(connection, "SELECT id FROM threads") == [("b",)]
    assert ask(connection, "SELECT * FROM thread_dynamic_tools") == []
    assert ask(connection, "SELECT * FROM thread_spawn_edges") == []


def test_strays_are_what_no_file_stands_behind(connection: Connection) -> None:
    upsert_rollouts(connection, [Reading("sessions/a", False, "plain", summary=Summary("a"))])
    stray = record("stray", dynamic_tools=TOOLS, parent_thread_id="a")
    write_threads(connection, [record("a", dynamic_tools=TOOLS), stray], ())
    assert delete_strays(connection) == 1
    assert delete_strays(connection) == 0
    assert ask(connection, "SELECT id FROM threads") == [("a",)]
    assert ask(connection, "SELECT DISTINCT thread_id FROM thread_dynamic_tools") == [("a",)]
    assert ask(connection, "SELECT * FROM thread_spawn_edges") == []


def test_names_say_what_changed(connection: Connection) -> None:
    assert replace_names(connection, {}) == set()
    assert replace_names(connection, {"a": "1", "b": "2"}) == {"a", "b"}
    assert replace_names(connection, {"a": "1", "b": "2"}) == set()
    assert names_of(connection, ["a", "c"]) == {"a": "1"}
    assert replace_names(connection, {"b": "3", "c": "4"}) == {"a", "b", "c"}
    assert names_of(connection, ["a", "b", "c"]) == {"b": "3", "c": "4"}
    assert replace_names(connection, {}) == {"b", "c"}


def test_counts(connection: Connection) -> None:
    assert count_threads(connection) == ThreadCounts(0, 0)
    write_threads(connection, [record("a"), record("b", archived=True), record("c")], ())
    assert count_threads(connection) == ThreadCounts(2, 1)
