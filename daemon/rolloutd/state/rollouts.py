"""Rows of `rollouts`: one for each file, its cursor and its summary."""

import struct
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, func, select, update

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
from rolloutd.state.schema import rollouts
from rolloutd.state.upsert import Upsert

# The parser version of rows that are not to be built upon.
DISTRUSTED = 0

_upsert = Upsert(rollouts, None)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Summary).decode

_COLUMNS = tuple(column.name for column in rollouts.columns)
_STAMP = tuple(rollouts.c[name] for name in FileStamp._fields)
_SEEN = select(
    *(rollouts.c[name] for name in ("path", "offset", "error", "parser_version")), *_STAMP
)
_FILE = tuple(rollouts.c[name] for name in ("path", "archived", "mtime_ns", "summary"))

# Of the cursor, where a file could not even be opened.
_NOWHERE = (None,) * (len(FileStamp._fields) + 2)

_OF_PATHS = among(rollouts.c.path)
_OF_THREADS = among(rollouts.c.thread_id)
_SEEN_OF = _SEEN.where(_OF_PATHS)
_ERRORS_OF = select(rollouts.c.path, rollouts.c.error, rollouts.c.parser_version).where(
    _OF_PATHS, rollouts.c.thread_id.is_not(None)
)
_DISTRUST = update(rollouts).where(_OF_PATHS).values(parser_version=DISTRUSTED)
_DELETE = delete(rollouts).where(_OF_PATHS)
_THREADS_OF = select(rollouts.c.thread_id).where(_OF_PATHS, rollouts.c.thread_id.is_not(None))
_FILES_OF = (
    select(rollouts.c.thread_id, *_FILE)
    .where(_OF_THREADS, ~among(rollouts.c.path, "known"))
    .order_by(rollouts.c.thread_id, rollouts.c.path)
)
_FILES_AT = select(*_FILE).where(_OF_PATHS).order_by(rollouts.c.path)
_COUNTS = (
    select(rollouts.c.thread_id, func.count())
    .where(_OF_THREADS)
    .group_by(rollouts.c.thread_id)
    .having(func.count() >= bindparam("least"))
)
_PATHS_AMONG = select(rollouts.c.path).where(_OF_PATHS)


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
    _upsert(connection, [(*_values(reading), now) for reading in readings])


def keep_closed(connection: Connection, errors: Mapping[str, str]) -> set[str]:
    """Mark the rows of files that held a thread and cannot be read now, each with its error.

    What was known of them stays, and they are read again when that can be done. Returns their
    paths: other files have nothing that could be kept.
    """
    kept = set()
    for path, *said in connection.execute(_ERRORS_OF, {"values": listed(errors)}).all():
        kept.add(path)
        now = {"error": errors[path], "parser_version": DISTRUSTED}
        if said != [*now.values()]:  # It is tried with every look.
            connection.execute(update(rollouts).where(rollouts.c.path == path).values(**now))
    return kept


def move_closed(connection: Connection, moved: Mapping[str, Reading]) -> set[str]:
    """Give the rows at these paths to the files that they have become, which cannot be read now.

    As by `keep_closed`, what was known stays. Returns the threads that are in them; rows of none
    are left where they are.
    """
    thread_ids = set()
    for path, file in moved.items():
        whose = select(rollouts.c.thread_id).where(rollouts.c.path == path)
        thread_id = connection.execute(whose).scalar()
        if thread_id is None:
            continue
        thread_ids.add(thread_id)
        delete_rollouts(connection, [file.path])
        now = {"path": file.path, "archived": file.archived, "encoding": file.encoding}
        now |= {"error": file.error, "parser_version": DISTRUSTED}
        connection.execute(update(rollouts).where(rollouts.c.path == path).values(**now))
    return thread_ids


def contradictory(connection: Connection) -> list[str]:
    """Watermarks of rows that name another thread than their own summary does."""
    return list(connection.exec_driver_sql(_CONTRADICTORY, (PARSER_VERSION,)).scalars())


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
    return set(connection.execute(_THREADS_OF, {"values": listed(paths)}).scalars())


def files_of(
    connection: Connection, thread_ids: Collection[str], known: Collection[str] = ()
) -> Iterator[tuple[str, list[FileSummary]]]:
    """The files of each thread that has any but those `known`, in the order of their watermarks.

    Without those whose summary another version wrote in a form that we cannot read: they are
    read again before long.
    """
    found = connection.execute(_FILES_OF, {"values": listed(thread_ids), "known": listed(known)})
    for thread_id, rows in groupby(found, key=lambda row: row.thread_id):
        yield thread_id, _file_summaries(rows)


def files_at(connection: Connection, paths: Collection[str]) -> list[FileSummary]:
    """The files of these watermarks, in their order; without unreadable ones, as above."""
    return _file_summaries(connection.execute(_FILES_AT, {"values": listed(paths)}))


def _file_summaries(rows: Iterable[Any]) -> list[FileSummary]:
    files = []
    for row in rows:
        summary = _decoded(row.summary)
        if summary is not None and row.mtime_ns is not None:
            files.append(FileSummary(row.path, bool(row.archived), row.mtime_ns, summary))
    return files


def file_counts(connection: Connection, thread_ids: Collection[str], least: int) -> dict[str, int]:
    """How many files each of these threads has, of those that have so many at least."""
    rows = connection.execute(_COUNTS, {"values": listed(thread_ids), "least": least})
    return {row[0]: row[1] for row in rows}


def paths_of(connection: Connection, thread_id: str) -> list[str]:
    """Watermarks of a thread's files, in their order."""
    query = select(rollouts.c.path).where(rollouts.c.thread_id == thread_id)
    return list(connection.execute(query.order_by(rollouts.c.path)).scalars())


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
    below = rollouts.c.path.between(f"{root}/", f"{root}0")  # "0" comes behind "/"
    query = select(rollouts.c.path, rollouts.c.device).where(below)
    row = connection.execute(query.order_by(rollouts.c.device.is_(None)).limit(1)).first()
    return None if row is None else (row.path, row.device)


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
        yield row.path, _seen(row)


def seen_unless(
    connection: Connection, known: dict[str, bytes | None]
) -> Iterator[tuple[str, Seen]]:
    """The same of every row, but for those whose file has just the stamp `known` by path, packed.

    Those are taken out of `known`. They are nearly all of them, every minute: nothing is made of
    them, and the driver's own rows take a quarter of the time.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    for row in driver.execute(str(_SEEN)):
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
    return set(connection.execute(_PATHS_AMONG, {"values": listed(paths)}).scalars())


def known(connection: Connection, path: str) -> Known | None:
    """Where reading of a file can go on; None if it has to start over."""
    row = connection.execute(
        select(
            rollouts.c.offset, rollouts.c.anchors, rollouts.c.summary, rollouts.c.resume, *_STAMP
        ).where(
            rollouts.c.path == path,
            rollouts.c.parser_version == PARSER_VERSION,
            rollouts.c.anchors.is_not(None),
        )
    ).first()
    if row is None or None in (row.offset, *row[4:]):
        return None
    summary = _decoded(row.resume or row.summary)
    if summary is None:
        return None
    return Known(Cursor(FileStamp(*row[4:]), row.offset, row.anchors), summary)


def rollout_row(reading: Reading) -> dict[str, Any]:
    """The row that a reading makes, but for the time of the indexing."""
    return dict(zip(_COLUMNS[:-1], _values(reading), strict=True))


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
