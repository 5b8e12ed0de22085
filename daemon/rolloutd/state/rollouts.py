"""Rows of `rollouts`: one for each file, its cursor and its summary."""

import struct
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from msgspec import Struct

from rolloutd.records import (
    PARSER_VERSION,
    Cursor,
    FileStamp,
    FileSummary,
    Known,
    Reading,
    Summary,
    pack_stamp,
)
from rolloutd.state.among import among, listed
from rolloutd.state.connections import Connection
from rolloutd.state.schema import ROLLOUTS

# The parser version of rows that are not to be built upon.
DISTRUSTED = 0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Summary).decode

_UPSERT = ROLLOUTS.upsert()
_STAMP = ", ".join(FileStamp._fields)
_SEEN = f"SELECT path, offset, error, parser_version, {_STAMP} FROM rollouts"  # noqa: S608
_FILE = "path, archived, mtime_ns, summary"

# Of the cursor, where a file could not even be opened.
_NOWHERE = (None,) * (len(FileStamp._fields) + 2)

_OF_PATHS = among("path")
_OF_THREADS = among("thread_id")
_SEEN_OF = f"{_SEEN} WHERE {_OF_PATHS}"
_ERRORS_OF = (
    "SELECT path, error, parser_version FROM rollouts"  # noqa: S608
    f" WHERE {_OF_PATHS} AND thread_id IS NOT NULL"
)
_CLOSE = "UPDATE rollouts SET error = ?, parser_version = ? WHERE path = ?"
_MOVE = """
    UPDATE rollouts SET path = ?, archived = ?, encoding = ?, error = ?, parser_version = ?
    WHERE path = ?
"""
_DISTRUST = f"UPDATE rollouts SET parser_version = {DISTRUSTED} WHERE {_OF_PATHS}"  # noqa: S608
_DELETE = f"DELETE FROM rollouts WHERE {_OF_PATHS}"  # noqa: S608
_THREADS_OF = f"SELECT thread_id FROM rollouts WHERE {_OF_PATHS} AND thread_id IS NOT NULL"  # noqa: S608
_FILES_OF = f"""
    SELECT thread_id, {_FILE} FROM rollouts
    WHERE {_OF_THREADS} AND NOT {among("path", "known")} ORDER BY thread_id, path
"""  # noqa: S608
_FILES_AT = f"SELECT {_FILE} FROM rollouts WHERE {_OF_PATHS} ORDER BY path"  # noqa: S608
_COUNTS = f"""
    SELECT thread_id, count(*) FROM rollouts
    WHERE {_OF_THREADS} GROUP BY thread_id HAVING count(*) >= :least
"""  # noqa: S608
_PATHS_AMONG = f"SELECT path FROM rollouts WHERE {_OF_PATHS}"  # noqa: S608
_KNOWN = f"""
    SELECT offset, anchors, coalesce(resume, summary), {_STAMP} FROM rollouts
    WHERE path = ? AND parser_version = ? AND anchors IS NOT NULL
"""  # noqa: S608
# One that could be opened, if there is one.
_ANY_BELOW = """
    SELECT path, device FROM rollouts WHERE path BETWEEN ? AND ? ORDER BY device IS NULL LIMIT 1
"""

_CONTRADICTORY = """
    SELECT path FROM rollouts WHERE parser_version = ? AND error IS NULL AND thread_id IS NOT
        CASE WHEN json_valid(summary) THEN json_extract(summary, '$.thread_id') END
"""


class Seen(Struct, frozen=True, gc=False):
    """What a row says of the file when it was read; no stamp if it could not be opened."""

    stamp: FileStamp | None
    offset: int
    error: str | None
    parser_version: int

    @property
    def device(self) -> int | None:
        """The one that the file was on."""
        return None if self.stamp is None else self.stamp.device


def upsert_rollouts(connection: Connection, readings: Sequence[Reading]) -> None:
    """Write one row for each reading."""
    now = time.time_ns() // 1_000_000
    connection.executemany(_UPSERT, [(*_values(reading), now) for reading in readings])


def keep_closed(connection: Connection, errors: Mapping[str, str]) -> set[str]:
    """Mark the rows of files that held a thread and cannot be read now, each with its error.

    What was known of them stays, and they are read again when that can be done. Returns their
    paths: other files have nothing that could be kept.
    """
    kept = set()
    for path, *said in connection.execute(_ERRORS_OF, {"values": listed(errors)}).fetchall():
        kept.add(path)
        now = [errors[path], DISTRUSTED]
        if said != now:  # It is tried with every look.
            connection.execute(_CLOSE, (*now, path))
    return kept


def move_closed(connection: Connection, moved: Mapping[str, Reading]) -> set[str]:
    """Give the rows at these paths to the files that they have become, which cannot be read now.

    As by `keep_closed`, what was known stays. Returns the threads that are in them; rows of none
    are left where they are.
    """
    thread_ids = set()
    for path, file in moved.items():
        thread_id = connection.value("SELECT thread_id FROM rollouts WHERE path = ?", (path,))
        if thread_id is None:
            continue
        thread_ids.add(thread_id)
        delete_rollouts(connection, [file.path])
        now = (file.path, file.archived, file.encoding, file.error, DISTRUSTED)
        connection.execute(_MOVE, (*now, path))
    return thread_ids


def contradictory(connection: Connection) -> list[str]:
    """Watermarks of rows that name another thread than their own summary does."""
    return connection.column(_CONTRADICTORY, (PARSER_VERSION,))


def distrust(connection: Connection, paths: Collection[str]) -> None:
    """Mark the rows of these files as not to be built upon.

    They are those of no parser then: whoever looks at the files next reads them from the start.
    That takes nothing from a worker that holds the lease, so it needs none.
    """
    connection.execute(_DISTRUST, {"values": listed(paths)})


def delete_rollouts(connection: Connection, paths: Collection[str]) -> None:
    """Drop the rows of files that are gone."""
    if paths:
        connection.execute(_DELETE, {"values": listed(paths)})


def threads_of(connection: Connection, paths: Collection[str]) -> set[str]:
    """Ids of the threads that these files hold, as far as the database knows."""
    return set(connection.column(_THREADS_OF, {"values": listed(paths)}))


def files_of(
    connection: Connection, thread_ids: Collection[str], known: Collection[str] = ()
) -> Iterator[tuple[str, list[FileSummary]]]:
    """The files of each thread that has any but those `known`, in the order of their watermarks.

    Without those whose summary another version wrote in a form that we cannot read: they are
    read again before long.
    """
    found = connection.execute(_FILES_OF, {"values": listed(thread_ids), "known": listed(known)})
    for thread_id, rows in groupby(found, key=itemgetter(0)):
        yield thread_id, _file_summaries(row[1:] for row in rows)


def files_at(connection: Connection, paths: Collection[str]) -> list[FileSummary]:
    """The files of these watermarks, in their order; without unreadable ones, as above."""
    return _file_summaries(connection.execute(_FILES_AT, {"values": listed(paths)}))


def _file_summaries(rows: Iterable[Any]) -> list[FileSummary]:
    files = []
    for path, archived, mtime_ns, text in rows:
        summary = _decoded(text)
        if summary is not None and mtime_ns is not None:
            files.append(FileSummary(path, bool(archived), mtime_ns, summary))
    return files


def file_counts(connection: Connection, thread_ids: Collection[str], least: int) -> dict[str, int]:
    """How many files each of these threads has, of those that have so many at least."""
    return dict(connection.execute(_COUNTS, {"values": listed(thread_ids), "least": least}))


def paths_of(connection: Connection, thread_id: str) -> list[str]:
    """Watermarks of a thread's files, in their order."""
    query = "SELECT path FROM rollouts WHERE thread_id = ? ORDER BY path"
    return connection.column(query, (thread_id,))


def _decoded(text: str) -> Summary | None:
    """A summary; None if another version, or somebody else, has written what we cannot read."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return None


def any_below(connection: Connection, root: str) -> tuple[str, int | None] | None:
    """One of the files below a root that have rows: its watermark, and the device it was on.

    The first that could be opened, if there is one.
    """
    between = (f"{root}/", f"{root}0")  # "0" comes behind "/"
    found: tuple[str, int | None] | None = connection.execute(_ANY_BELOW, between).fetchone()
    return found


def seen(
    connection: Connection, paths: Collection[str] | None = None
) -> Iterator[tuple[str, Seen]]:
    """What each row says of its file, or each of these files', one at a time.

    There may be hundreds of thousands.
    """
    if paths is None:
        yield from seen_unless(connection, {})
        return
    for row in connection.execute(_SEEN_OF, {"values": listed(paths)}):
        yield row[0], _seen(row)


def seen_unless(
    connection: Connection, known: dict[str, bytes | None]
) -> Iterator[tuple[str, Seen]]:
    """The same of every row, but for those whose file has just the stamp `known` by path, packed.

    Those are taken out of `known`. They are nearly all of them, every minute: nothing is made of
    them.
    """
    for row in connection.execute(_SEEN):
        path = row[0]
        if row[3] == PARSER_VERSION and _packed(row[4:]) == known.get(path):
            del known[path]
        else:
            yield path, _seen(row)


def _packed(stamp: Sequence[Any]) -> bytes:
    """The stamp of a row; of a file that could not be opened, or of nonsense, nothing."""
    try:
        return pack_stamp(*stamp)
    except struct.error:
        return b""


def _seen(row: Sequence[Any]) -> Seen:
    _, offset, error, parser_version, *stamp = row
    known = None if stamp[0] is None else FileStamp(*stamp)
    return Seen(known, offset or 0, error, parser_version)


def among_rows(connection: Connection, paths: Collection[str]) -> set[str]:
    """Those of these files that have a row."""
    return set(connection.column(_PATHS_AMONG, {"values": listed(paths)}))


def known(connection: Connection, path: str) -> Known | None:
    """Where reading of a file can go on; None if it has to start over."""
    row = connection.execute(_KNOWN, (path, PARSER_VERSION)).fetchone()
    if row is None:
        return None
    offset, anchors, text, *stamp = row
    if None in (offset, *stamp):
        return None
    summary = _decoded(text)
    return None if summary is None else Known(Cursor(FileStamp(*stamp), offset, anchors), summary)


def rollout_row(reading: Reading) -> dict[str, Any]:
    """The row that a reading makes, but for the time of the indexing."""
    return dict(zip(ROLLOUTS.columns, _values(reading), strict=False))


def _values(reading: Reading) -> tuple[Any, ...]:
    """The same, in the order of the table's columns."""
    cursor, summary = reading.cursor, reading.summary
    return (
        reading.path,
        summary.thread_id if reading.error is None else None,
        reading.archived,
        reading.encoding,
        *(_NOWHERE if cursor is None else (*cursor.stamp, cursor.offset, cursor.anchors)),
        summary.lines,
        sum(summary.parse_errors.values()),
        _encode(summary).decode(),
        None if reading.resume is None else _encode(reading.resume).decode(),
        PARSER_VERSION,
        reading.error,
    )
