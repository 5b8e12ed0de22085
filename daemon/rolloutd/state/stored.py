"""What the tables hold, as it is, for comparing: nothing is decoded, nothing is taken on trust."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Column, Connection, ScalarSelect, Select, Table, func, select, union

from rolloutd.state.schema import (
    rollouts,
    session_names,
    thread_dynamic_tools,
    thread_spawn_edges,
    threads,
)

Values: TypeAlias = Mapping[str, Any]
"""A row: its columns by their names."""

_ID_COLUMNS = (
    rollouts.c.thread_id,
    threads.c.id,
    thread_dynamic_tools.c.thread_id,
    thread_spawn_edges.c.child_thread_id,
)


@dataclass(slots=True)
class StoredThread:
    """All that the tables hold of one thread id; `paths` are its files."""

    paths: list[str] = field(default_factory=list)
    row: Values | None = None
    tools: list[Values] = field(default_factory=list)
    edge: Values | None = None


def stored_rollouts(connection: Connection, paths: Collection[str]) -> dict[str, Values]:
    """The rows of these files, by path."""
    return {row["path"]: row for row in _rows(connection, rollouts, rollouts.c.path, paths)}


def thread_ids_after(connection: Connection, after: str | None, most: int) -> Sequence[str]:
    """The first ids after that one that stand in any table, in their order."""
    portions = (_ids_after(column, after, most) for column in _ID_COLUMNS)
    found = union(*portions).subquery()
    return connection.execute(select(found.c.id).order_by(found.c.id).limit(most)).scalars().all()


def _ids_after(column: Column[str], after: str | None, most: int) -> Select[Any]:
    # Each table gives no more than are wanted, off its own index.
    wanted = column.is_not(None) if after is None else column > after
    first = select(column.label("id")).where(wanted).distinct().order_by(column).limit(most)
    return select(first.subquery().c.id)


def stored_threads(connection: Connection, ids: Collection[str]) -> dict[str, StoredThread]:
    """What the tables hold of these threads."""
    found: dict[str, StoredThread] = defaultdict(StoredThread)
    files = select(rollouts.c.thread_id, rollouts.c.path).where(rollouts.c.thread_id.in_(ids))
    for thread_id, path in connection.execute(files.order_by(rollouts.c.path)):
        found[thread_id].paths.append(path)
    for row in _rows(connection, threads, threads.c.id, ids):
        found[row["id"]].row = row
    tools = _rows(connection, thread_dynamic_tools, thread_dynamic_tools.c.thread_id, ids)
    for row in sorted(tools, key=lambda row: int(row["position"])):
        found[row["thread_id"]].tools.append(row)
    edge_of = thread_spawn_edges.c.child_thread_id
    for row in _rows(connection, thread_spawn_edges, edge_of, ids):
        found[row["child_thread_id"]].edge = row
    return found


def stored_names(connection: Connection) -> dict[str, str]:
    """Every name that was taken over from the session index."""
    rows = connection.execute(select(session_names.c.thread_id, session_names.c.name))
    return {row.thread_id: row.name for row in rows}


def threads_of_several_files(connection: Connection) -> list[tuple[str, list[str]]]:
    """Ids that more than one file holds, with these files in their order."""
    several: ScalarSelect[Any] = (
        select(rollouts.c.thread_id)
        .where(rollouts.c.thread_id.is_not(None))
        .group_by(rollouts.c.thread_id)
        .having(func.count() > 1)
        .scalar_subquery()
    )
    files = (
        select(rollouts.c.thread_id, rollouts.c.path)
        .where(rollouts.c.thread_id.in_(several))
        .order_by(rollouts.c.thread_id, rollouts.c.path)
    )
    found: dict[str, list[str]] = defaultdict(list)
    for thread_id, path in connection.execute(files):
        found[thread_id].append(path)
    return list(found.items())


def _rows(
    connection: Connection, table: Table, column: Column[Any], values: Collection[str]
) -> list[Values]:
    found = connection.execute(select(table).where(column.in_(values)))
    return [row._asdict() for row in found]
