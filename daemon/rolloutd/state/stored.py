"""What the tables hold, as it is, for comparing: nothing is decoded, nothing is taken on trust."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rolloutd.state.among import among, listed
from rolloutd.state.connections import Connection
from rolloutd.state.schema import (
    ROLLOUTS,
    THREAD_DYNAMIC_TOOLS,
    THREAD_SPAWN_EDGES,
    THREADS,
    Table,
)

Values: TypeAlias = Mapping[str, Any]
"""A row: its columns by their names."""

_ID_COLUMNS = (
    ("rollouts", "thread_id"),
    ("threads", "id"),
    ("thread_dynamic_tools", "thread_id"),
    ("thread_spawn_edges", "child_thread_id"),
)
_FILES_OF = f"SELECT thread_id, path FROM rollouts WHERE {among('thread_id')} ORDER BY path"  # noqa: S608
_OF_SEVERAL_FILES = """
    SELECT thread_id, path FROM rollouts WHERE thread_id IN (
        SELECT thread_id FROM rollouts WHERE thread_id IS NOT NULL
        GROUP BY thread_id HAVING count(*) > 1
    ) ORDER BY thread_id, path
"""


@dataclass(slots=True)
class StoredThread:
    """All that the tables hold of one thread id; `paths` are its files."""

    paths: list[str] = field(default_factory=list)
    row: Values | None = None
    tools: list[Values] = field(default_factory=list)
    edge: Values | None = None


def stored_rollouts(connection: Connection, paths: Collection[str]) -> dict[str, Values]:
    """The rows of these files, by path."""
    return {row["path"]: row for row in _rows(connection, ROLLOUTS, "path", paths)}


def thread_ids_after(connection: Connection, after: str | None, most: int) -> Sequence[str]:
    """The first ids after that one that stand in any table, in their order."""
    wanted = "IS NOT NULL" if after is None else "> :after"
    # Each table gives no more than are wanted, off its own index.
    portions = " UNION ".join(
        f"SELECT id FROM (SELECT DISTINCT {column} AS id FROM {table}"  # noqa: S608
        f" WHERE {column} {wanted} ORDER BY {column} LIMIT :most)"
        for table, column in _ID_COLUMNS
    )
    asked = {"after": after, "most": most}
    return connection.column(f"{portions} ORDER BY id LIMIT :most", asked)


def stored_threads(connection: Connection, ids: Collection[str]) -> dict[str, StoredThread]:
    """What the tables hold of these threads."""
    found: dict[str, StoredThread] = defaultdict(StoredThread)
    for thread_id, path in connection.execute(_FILES_OF, {"values": listed(ids)}):
        found[thread_id].paths.append(path)
    for row in _rows(connection, THREADS, "id", ids):
        found[row["id"]].row = row
    tools = _rows(connection, THREAD_DYNAMIC_TOOLS, "thread_id", ids)
    for row in sorted(tools, key=lambda row: int(row["position"])):
        found[row["thread_id"]].tools.append(row)
    for row in _rows(connection, THREAD_SPAWN_EDGES, "child_thread_id", ids):
        found[row["child_thread_id"]].edge = row
    return found


def threads_of_several_files(connection: Connection) -> list[tuple[str, list[str]]]:
    """Ids that more than one file holds, with these files in their order."""
    found: dict[str, list[str]] = defaultdict(list)
    for thread_id, path in connection.execute(_OF_SEVERAL_FILES):
        found[thread_id].append(path)
    return list(found.items())


def _rows(
    connection: Connection, table: Table, column: str, values: Collection[str]
) -> Sequence[Values]:
    query = f"SELECT {table.names} FROM {table.name} WHERE {among(column)}"  # noqa: S608
    return connection.records(query, {"values": listed(values)})
