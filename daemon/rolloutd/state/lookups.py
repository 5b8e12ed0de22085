"""What is asked of single threads."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from rolloutd.state.reader import StateReader
from rolloutd.state.revision import THREAD_COLUMNS

_PLACE = "SELECT id, rollout_path, archived, title, name, recency_at_ms FROM threads"
_LAST_CHARACTER = "\U0010fffd"
_FLAGS = ("archived", "has_user_event", "defer_loading")


class Place(NamedTuple):
    """Where a thread's row says that it is, and how a person knows it."""

    id: str
    path: str
    archived: bool
    title: str
    name: str | None
    recency_at_ms: int


def place_of(reader: StateReader, thread_id: str) -> Place | None:
    """The row of one thread."""
    rows = _places(reader, "WHERE id = ?", thread_id)
    return rows[0] if rows else None


def places_beginning(reader: StateReader, beginning: str, *, most: int) -> list[Place]:
    """Threads whose ids begin so, in the order of their ids."""
    # "g" comes behind every digit of an id.
    where = "WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
    return _places(reader, where, beginning, beginning + "g", most)


def places_named(reader: StateReader, name: str) -> list[Place]:
    """Threads of that name, else of that title, the newest first."""
    for column in ("name", "title"):
        where = f"WHERE {column} = ? ORDER BY recency_at_ms DESC, id DESC"
        found = _places(reader, where, name)
        if found:
            return found
    return []


def words_beginning(reader: StateReader, beginning: str, most: int) -> list[tuple[str, str]]:
    """Names and ids that begin so, the newest first, each with the beginning of its title."""
    named = reader.rows(
        "SELECT name, substr(title, 1, 240) FROM threads WHERE name >= ? AND name < ?"
        " ORDER BY recency_at_ms DESC, id DESC LIMIT ?",
        (beginning, beginning + _LAST_CHARACTER, most),
    )
    begun = reader.rows(
        "SELECT id, substr(title, 1, 240) FROM threads WHERE id >= ? AND id < ?"
        " ORDER BY recency_at_ms DESC, id DESC LIMIT ?",
        (beginning.lower(), beginning.lower() + "g", most),
    )
    return [(row[0], row[1]) for row in (*named, *begun)]


def _places(reader: StateReader, where: str, *values: Any) -> list[Place]:
    rows = reader.rows(f"{_PLACE} {where}", values)
    return [Place(row[0], row[1], bool(row[2]), *tuple(row)[3:]) for row in rows]


class Told(NamedTuple):
    """What a file's row tells of it: the stat in `FileStamp`'s order, and the thread it holds."""

    stamp: tuple[int, ...]
    thread_id: str | None


def told_of_files(reader: StateReader, parser_version: int) -> Iterator[tuple[str, Told]]:
    """What the rows of this parser tell, by path."""
    for path, thread_id, *stamp in reader.rows(
        "SELECT path, thread_id, device, inode, size, mtime_ns, ctime_ns FROM rollouts"
        " WHERE parser_version = ?",
        (parser_version,),
    ):
        yield path, Told(tuple(stamp), thread_id)


def device_of(reader: StateReader, path: str) -> int | None:
    """The device that a file was on when it was read; None if it never was."""
    device: int | None = reader.value("SELECT device FROM rollouts WHERE path = ?", (path,))
    return device


def thread_row(reader: StateReader, thread_id: str) -> sqlite3.Row | None:
    """Every column of a thread.

    Raises:
        LookupError: there are fewer than any database of ours has.
    """
    rows = reader.rows("SELECT * FROM threads WHERE id = ?", (thread_id,))
    if rows and len(rows[0].keys()) < THREAD_COLUMNS:
        raise LookupError("columns of threads are lost")
    return rows[0] if rows else None


def file_rows(reader: StateReader, thread_id: str) -> list[sqlite3.Row]:
    """The files of a thread, in their order: all columns but the summaries."""
    return reader.rows(
        "SELECT path, archived, encoding, size, mtime_ns, offset, lines, parse_errors,"
        " parser_version, indexed_at_ms FROM rollouts WHERE thread_id = ? ORDER BY path",
        (thread_id,),
    )


def tool_rows(reader: StateReader, thread_id: str) -> list[sqlite3.Row]:
    """The dynamic tools of a thread, in their order."""
    return reader.rows(
        "SELECT name, namespace, description, input_schema, defer_loading"
        " FROM thread_dynamic_tools WHERE thread_id = ? ORDER BY position",
        (thread_id,),
    )


def parent_row(reader: StateReader, thread_id: str) -> sqlite3.Row | None:
    """The thread that spawned this one; its title is null if it is not there itself."""
    rows = reader.rows(
        "SELECT edge.parent_thread_id AS id, parent.title, edge.status"
        " FROM thread_spawn_edges AS edge"
        " LEFT JOIN threads AS parent ON parent.id = edge.parent_thread_id"
        " WHERE edge.child_thread_id = ?",
        (thread_id,),
    )
    return rows[0] if rows else None


def child_rows(reader: StateReader, thread_id: str) -> list[sqlite3.Row]:
    """The threads that this one spawned, the oldest first."""
    return reader.rows(
        "SELECT child.id, child.title, child.agent_nickname, child.agent_role, edge.status"
        " FROM thread_spawn_edges AS edge JOIN threads AS child ON child.id = edge.child_thread_id"
        " WHERE edge.parent_thread_id = ? ORDER BY child.created_at_ms, child.id",
        (thread_id,),
    )


def telling_length(reader: StateReader, thread_ids: Collection[str], least: int) -> int:
    """How many characters of these ids tell each from all others that there are."""
    length = least
    for thread_id in thread_ids:
        for sign, order in (("<", "DESC"), (">", "ASC")):
            query = f"SELECT id FROM threads WHERE id {sign} ? ORDER BY id {order} LIMIT 1"  # noqa: S608
            neighbour = reader.value(query, (thread_id,))
            if neighbour is not None:
                length = max(length, _common(thread_id, neighbour) + 1)
    return length


def _common(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), len(one))


class Progress(NamedTuple):
    """How far the backfill is, and who is at it; times in milliseconds since the epoch."""

    status: str
    reason: str | None
    last_success_ms: int | None
    scanned: int
    total: int
    host: str | None
    pid: int | None


def progress_of(reader: StateReader) -> Progress:
    """The row of `backfill_state`, as far as it tells whether the rest is true."""
    [row] = reader.rows(
        "SELECT status, reason, last_success_at * 1000, scanned, total, owner_host, owner_pid"
        " FROM backfill_state"
    )
    return Progress(*row)


def with_flags(row: sqlite3.Row | Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row, with what is 0 or 1 as a boolean."""
    columns = dict(row)
    return columns | {name: bool(columns[name]) for name in _FLAGS if name in columns}
