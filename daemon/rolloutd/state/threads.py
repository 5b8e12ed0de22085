"""Rows of `threads`, `thread_dynamic_tools`, `thread_spawn_edges` and `session_names`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from rolloutd.records import ThreadRecord
from rolloutd.state.among import among, listed
from rolloutd.state.schema import (
    rollouts,
    session_names,
    thread_dynamic_tools,
    thread_spawn_edges,
    threads,
)
from rolloutd.state.upsert import Upsert

_upsert = Upsert(threads, attrgetter)
_upsert_edges = Upsert(thread_spawn_edges)
_COLUMNS = tuple(column.name for column in threads.columns)

_DELETE_TOOLS = delete(thread_dynamic_tools).where(among(thread_dynamic_tools.c.thread_id))
_DELETE_EDGES = delete(thread_spawn_edges).where(among(thread_spawn_edges.c.child_thread_id))
_DELETE = delete(threads).where(among(threads.c.id))
_NAMES_OF = select(session_names.c.thread_id, session_names.c.name).where(
    among(session_names.c.thread_id)
)


def write_threads(
    connection: Connection, records: Sequence[ThreadRecord], gone: Collection[str]
) -> None:
    """Make the tables say what the records say, and nothing of the threads that are gone."""
    ids = [record.id for record in records] + list(gone)
    _upsert(connection, records)
    connection.execute(_DELETE_TOOLS, {"values": listed(ids)})
    tools = [row for record in records for row in tool_rows(record)]
    if tools:
        connection.execute(insert(thread_dynamic_tools), tools)
    childless = [record.id for record in records if record.parent_thread_id is None] + list(gone)
    connection.execute(_DELETE_EDGES, {"values": listed(childless)})
    _upsert_edges(connection, [row for record in records if (row := edge_row(record))])
    if gone:
        connection.execute(_DELETE, {"values": listed(gone)})


def present_threads(connection: Connection, thread_ids: Collection[str]) -> set[str]:
    """Which of these there are."""
    query = select(threads.c.id).where(among(threads.c.id))
    return set(connection.execute(query, {"values": listed(thread_ids)}).scalars())


def delete_strays(connection: Connection) -> int:
    """Drop what no file stands behind any more; returns how many threads that were."""
    indexed = select(rollouts.c.thread_id).where(rollouts.c.thread_id.is_not(None))
    connection.execute(
        delete(thread_spawn_edges).where(thread_spawn_edges.c.child_thread_id.not_in(indexed))
    )
    connection.execute(
        delete(thread_dynamic_tools).where(thread_dynamic_tools.c.thread_id.not_in(indexed))
    )
    return connection.execute(delete(threads).where(threads.c.id.not_in(indexed))).rowcount


def names_of(connection: Connection, thread_ids: Collection[str]) -> dict[str, str]:
    """Names from the session index, of those of these threads that have one."""
    rows = connection.execute(_NAMES_OF, {"values": listed(thread_ids)})
    return {row.thread_id: row.name for row in rows}


def replace_names(connection: Connection, names: Mapping[str, str]) -> set[str]:
    """Make `session_names` equal `names`; returns the ids for which something changed."""
    rows = connection.execute(select(session_names.c.thread_id, session_names.c.name))
    before = {row.thread_id: row.name for row in rows}
    changed = {
        thread_id
        for thread_id in before.keys() | names.keys()
        if before.get(thread_id) != names.get(thread_id)
    }
    if changed:
        connection.execute(delete(session_names))
        if names:
            connection.execute(
                insert(session_names),
                [{"thread_id": thread_id, "name": name} for thread_id, name in names.items()],
            )
    return changed


@dataclass(frozen=True, slots=True)
class ThreadCounts:
    """How many threads there are."""

    active: int
    archived: int


def count_threads(connection: Connection) -> ThreadCounts:
    """Active and archived threads."""
    archived = func.coalesce(func.sum(threads.c.archived), 0)
    row = connection.execute(select(func.count() - archived, archived)).one()
    return ThreadCounts(*row)


def thread_row(record: ThreadRecord) -> dict[str, Any]:
    """The row of `threads` that a record makes."""
    return {name: getattr(record, name) for name in _COLUMNS}


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
