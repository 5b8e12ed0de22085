"""Rows of `threads`, `thread_dynamic_tools`, `thread_spawn_edges` and `session_names`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from rolloutd.records import ThreadRecord
from rolloutd.state.among import among, listed
from rolloutd.state.connections import Connection
from rolloutd.state.schema import THREAD_DYNAMIC_TOOLS, THREAD_SPAWN_EDGES, THREADS

_values_of = attrgetter(*THREADS.columns)
_UPSERT = THREADS.upsert()
_UPSERT_EDGE = THREAD_SPAWN_EDGES.upsert()
_UPSERT_TOOL = THREAD_DYNAMIC_TOOLS.upsert()
_DELETE = f"DELETE FROM threads WHERE {among('id')}"  # noqa: S608
_DELETE_TOOLS = f"DELETE FROM thread_dynamic_tools WHERE {among('thread_id')}"  # noqa: S608
_DELETE_EDGES = f"DELETE FROM thread_spawn_edges WHERE {among('child_thread_id')}"  # noqa: S608
_PRESENT = f"SELECT id FROM threads WHERE {among('id')}"  # noqa: S608
_NAMES_OF = f"SELECT thread_id, name FROM session_names WHERE {among('thread_id')}"  # noqa: S608
_STRAY = "NOT IN (SELECT thread_id FROM rollouts WHERE thread_id IS NOT NULL)"
_COUNTS = """
    SELECT count(*) - coalesce(sum(archived), 0), coalesce(sum(archived), 0) FROM threads
"""


def write_threads(
    connection: Connection, records: Sequence[ThreadRecord], gone: Collection[str]
) -> None:
    """Make the tables say what the records say, and nothing of the threads that are gone."""
    ids = [record.id for record in records] + list(gone)
    connection.executemany(_UPSERT, map(_values_of, records))
    connection.execute(_DELETE_TOOLS, {"values": listed(ids)})
    tools = [tuple(row.values()) for record in records for row in tool_rows(record)]
    connection.executemany(_UPSERT_TOOL, tools)
    childless = [record.id for record in records if record.parent_thread_id is None] + list(gone)
    connection.execute(_DELETE_EDGES, {"values": listed(childless)})
    edges = [tuple(row.values()) for record in records if (row := edge_row(record))]
    connection.executemany(_UPSERT_EDGE, edges)
    if gone:
        connection.execute(_DELETE, {"values": listed(gone)})


def present_threads(connection: Connection, thread_ids: Collection[str]) -> set[str]:
    """Which of these there are."""
    return set(connection.column(_PRESENT, {"values": listed(thread_ids)}))


def delete_strays(connection: Connection) -> int:
    """Drop what no file stands behind any more; returns how many threads that were."""
    connection.execute(f"DELETE FROM thread_spawn_edges WHERE child_thread_id {_STRAY}")  # noqa: S608
    connection.execute(f"DELETE FROM thread_dynamic_tools WHERE thread_id {_STRAY}")  # noqa: S608
    return connection.execute(f"DELETE FROM threads WHERE id {_STRAY}").rowcount  # noqa: S608


def names_of(connection: Connection, thread_ids: Collection[str]) -> dict[str, str]:
    """Names from the session index, of those of these threads that have one."""
    return dict(connection.execute(_NAMES_OF, {"values": listed(thread_ids)}))


def replace_names(connection: Connection, names: Mapping[str, str]) -> set[str]:
    """Make `session_names` equal `names`; returns the ids for which something changed."""
    before = stored_names(connection)
    changed = {
        thread_id
        for thread_id in before.keys() | names.keys()
        if before.get(thread_id) != names.get(thread_id)
    }
    if changed:
        connection.execute("DELETE FROM session_names")
        connection.executemany(
            "INSERT INTO session_names (thread_id, name) VALUES (?, ?)", names.items()
        )
    return changed


def stored_names(connection: Connection) -> dict[str, str]:
    """Every name that was taken over from the session index."""
    return dict(connection.execute("SELECT thread_id, name FROM session_names"))


@dataclass(frozen=True, slots=True)
class ThreadCounts:
    """How many threads there are."""

    active: int
    archived: int


def count_threads(connection: Connection) -> ThreadCounts:
    """Active and archived threads."""
    return ThreadCounts(*connection.execute(_COUNTS).fetchone())


def thread_row(record: ThreadRecord) -> dict[str, Any]:
    """The row of `threads` that a record makes."""
    return dict(zip(THREADS.columns, _values_of(record), strict=True))


def edge_row(record: ThreadRecord) -> dict[str, Any] | None:
    """The row of `thread_spawn_edges`; None for a thread that was not spawned."""
    if record.parent_thread_id is None:
        return None
    return {
        "parent_thread_id": record.parent_thread_id,
        "child_thread_id": record.id,
        "status": "open",
    }


def tool_rows(record: ThreadRecord) -> list[dict[str, Any]]:
    """The rows of `thread_dynamic_tools`, in their order."""
    return [
        {
            "thread_id": record.id,
            "position": position,
            "name": tool.name,
            "description": tool.description,
            "input_schema": tool.input_schema,
            "defer_loading": tool.defer_loading,
            "namespace": tool.namespace,
        }
        for position, tool in enumerate(record.dynamic_tools)
    ]
