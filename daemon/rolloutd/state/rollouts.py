"""Rows of `rollouts`: one for each file, its cursor and its summary."""

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, func, select

from rolloutd.records import PARSER_VERSION, Cursor, FileSummary, Known, Reading, Summary
from rolloutd.state.schema import rollouts
from rolloutd.state.upsert import Upsert

_upsert = Upsert(rollouts)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Summary).decode

_CURSOR = (
    rollouts.c.device,
    rollouts.c.inode,
    rollouts.c.size,
    rollouts.c.mtime_ns,
    rollouts.c.ctime_ns,
    rollouts.c.offset,
    rollouts.c.anchors,
)
_STAMP = (*_CURSOR[:6], rollouts.c.error, rollouts.c.parser_version)


class Stamp(Struct, frozen=True, gc=False):
    """What a row says of the file's state when it was read, to compare with a stat."""

    device: int | None
    inode: int | None
    size: int | None
    mtime_ns: int | None
    ctime_ns: int | None
    offset: int | None
    error: str | None
    parser_version: int


def upsert_rollouts(connection: Connection, readings: Sequence[Reading]) -> None:
    """Write one row for each reading."""
    now = time.time_ns() // 1_000_000
    _upsert(connection, [_row(reading, now) for reading in readings])


def delete_rollouts(connection: Connection, paths: Collection[str]) -> None:
    """Drop the rows of files that are gone."""
    if paths:
        connection.execute(delete(rollouts).where(rollouts.c.path.in_(paths)))


def threads_of(connection: Connection, paths: Collection[str]) -> set[str]:
    """Ids of the threads that these files hold, as far as the database knows."""
    found = connection.execute(
        select(rollouts.c.thread_id).where(
            rollouts.c.path.in_(paths), rollouts.c.thread_id.is_not(None)
        )
    )
    return set(found.scalars())


def files_of(
    connection: Connection, thread_ids: Collection[str]
) -> Iterator[tuple[str, list[FileSummary]]]:
    """The files of each thread that has any, in the order of their watermarks."""
    columns = (
        rollouts.c.thread_id,
        rollouts.c.path,
        rollouts.c.archived,
        rollouts.c.mtime_ns,
        rollouts.c.summary,
    )
    found = connection.execute(
        select(*columns)
        .where(rollouts.c.thread_id.in_(thread_ids))
        .order_by(rollouts.c.thread_id, rollouts.c.path)
    )
    for thread_id, rows in groupby(found, key=lambda row: row.thread_id):
        yield (
            thread_id,
            [
                FileSummary(row.path, bool(row.archived), row.mtime_ns, _decode(row.summary))
                for row in rows
            ],
        )


def stamps(connection: Connection, paths: Collection[str] | None = None) -> dict[str, Stamp]:
    """Of every file that has a row, or of those of these files that have one."""
    query = select(rollouts.c.path, *_STAMP)
    if paths is not None:
        found = connection.execute(query.where(rollouts.c.path.in_(paths)))
        return {row[0]: Stamp(*row[1:]) for row in found}
    # All of them every minute: the driver's own rows take a quarter of the time.
    driver = connection.connection.driver_connection
    assert driver is not None
    return {path: Stamp(*values) for path, *values in driver.execute(str(query))}


def known(connection: Connection, path: str) -> Known | None:
    """Where reading of a file can go on; None if it has to start over."""
    row = connection.execute(
        select(*_CURSOR, rollouts.c.summary, rollouts.c.resume).where(
            rollouts.c.path == path,
            rollouts.c.parser_version == PARSER_VERSION,
            rollouts.c.anchors.is_not(None),
        )
    ).first()
    if row is None:
        return None
    return Known(Cursor(*row[:7]), _decode(row.resume or row.summary))


def failures(connection: Connection, limit: int | None = None) -> list[tuple[str, str]]:
    """Path and error of the files that have no thread, in the order of their paths."""
    rows = connection.execute(
        select(rollouts.c.path, rollouts.c.error)
        .where(rollouts.c.error.is_not(None))
        .order_by(rollouts.c.path)
        .limit(limit)
    ).all()
    return [(row.path, row.error) for row in rows]


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over all rows of `rollouts`."""

    indexed: int
    failed: int
    parse_errors: int
    bytes: int
    last_path: str | None


def totals(connection: Connection) -> Totals:
    """Sums over every row."""
    row = connection.execute(
        select(
            func.count().filter(rollouts.c.error.is_(None)),
            func.count(rollouts.c.error),
            func.coalesce(func.sum(rollouts.c.parse_errors), 0),
            func.coalesce(func.sum(rollouts.c.size), 0),
            func.max(rollouts.c.path),
        )
    ).one()
    return Totals(*row)


def _row(reading: Reading, now: int) -> dict[str, Any]:
    cursor, summary = reading.cursor, reading.summary
    if cursor is None:
        place: dict[str, Any] = {column.name: None for column in _CURSOR}
    else:
        place = {column.name: getattr(cursor, column.name) for column in _CURSOR}
    return {
        **place,
        "path": reading.path,
        "thread_id": summary.thread_id if reading.error is None else None,
        "archived": reading.archived,
        "encoding": reading.encoding,
        "lines": summary.lines,
        "parse_errors": sum(summary.parse_errors.values()),
        "summary": _encode(summary).decode(),
        "resume": None if reading.resume is None else _encode(reading.resume).decode(),
        "parser_version": PARSER_VERSION,
        "error": reading.error,
        "indexed_at_ms": now,
    }
