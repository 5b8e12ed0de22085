"""Rows of `rollouts`: one for each file, its cursor and its summary."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, func, select, update

from rolloutd.records import PARSER_VERSION, Cursor, FileStamp, FileSummary, Known, Reading, Summary
from rolloutd.state.among import among
from rolloutd.state.schema import rollouts
from rolloutd.state.upsert import Upsert

# The parser version of rows that are not to be built upon.
DISTRUSTED = 0

_upsert = Upsert(rollouts)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Summary).decode

_STAMP = tuple(rollouts.c[name] for name in FileStamp._fields)
_SEEN = select(
    *(rollouts.c[name] for name in ("path", "offset", "error", "parser_version")), *_STAMP
)
_FILE = tuple(rollouts.c[name] for name in ("path", "archived", "mtime_ns", "summary"))


class Seen(Struct, frozen=True, gc=False):
    """What a row says of the file when it was read; no stamp if it could not be opened."""

    stamp: FileStamp | None
    offset: int
    error: str | None
    parser_version: int


def upsert_rollouts(connection: Connection, readings: Sequence[Reading]) -> None:
    """Write one row for each reading."""
    now = time.time_ns() // 1_000_000
    _upsert(connection, [rollout_row(reading) | {"indexed_at_ms": now} for reading in readings])


def keep_closed(connection: Connection, errors: Mapping[str, str]) -> set[str]:
    """Mark the rows of files that held a thread and cannot be read now, each with its error.

    What was known of them stays, and they are read again when that can be done. Returns their
    paths: other files have nothing that could be kept.
    """
    held = rollouts.c.thread_id.is_not(None)
    query = select(rollouts.c.path, rollouts.c.error, rollouts.c.parser_version)
    kept = set()
    for path, *said in connection.execute(query.where(among(rollouts.c.path, errors), held)).all():
        kept.add(path)
        now = {"error": errors[path], "parser_version": DISTRUSTED}
        if said != [*now.values()]:  # It is tried with every look.
            connection.execute(update(rollouts).where(rollouts.c.path == path).values(**now))
    return kept


def distrust(connection: Connection, paths: Collection[str]) -> None:
    """Mark the rows of these files as not to be built upon.

    They are those of no parser then: whoever looks at the files next reads them from the start.
    That takes nothing from a worker that holds the lease, so it needs none.
    """
    connection.execute(
        update(rollouts).where(among(rollouts.c.path, paths)).values(parser_version=DISTRUSTED)
    )


def count_distrusted(connection: Connection) -> int:
    """How many rows are marked so."""
    marked = rollouts.c.parser_version == DISTRUSTED
    return int(connection.execute(select(func.count()).where(marked)).scalar_one())


def count_outdated(connection: Connection) -> int:
    """How many rows another version's parser has written."""
    others = rollouts.c.parser_version.not_in((PARSER_VERSION, DISTRUSTED))
    return int(connection.execute(select(func.count()).where(others)).scalar_one())


def delete_rollouts(connection: Connection, paths: Collection[str]) -> None:
    """Drop the rows of files that are gone."""
    connection.execute(delete(rollouts).where(among(rollouts.c.path, paths)))


def threads_of(connection: Connection, paths: Collection[str]) -> set[str]:
    """Ids of the threads that these files hold, as far as the database knows."""
    found = connection.execute(
        select(rollouts.c.thread_id).where(
            among(rollouts.c.path, paths), rollouts.c.thread_id.is_not(None)
        )
    )
    return set(found.scalars())


def files_of(
    connection: Connection, thread_ids: Collection[str], known: Collection[str] = ()
) -> Iterator[tuple[str, list[FileSummary]]]:
    """The files of each thread that has any but those `known`, in the order of their watermarks.

    Without those whose summary another version wrote in a form that we cannot read: they are
    read again before long.
    """
    found = connection.execute(
        select(rollouts.c.thread_id, *_FILE)
        .where(among(rollouts.c.thread_id, thread_ids), ~among(rollouts.c.path, known))
        .order_by(rollouts.c.thread_id, rollouts.c.path)
    )
    for thread_id, rows in groupby(found, key=lambda row: row.thread_id):
        yield thread_id, _file_summaries(rows)


def files_at(connection: Connection, paths: Collection[str]) -> list[FileSummary]:
    """The files of these watermarks, in their order; without unreadable ones, as above."""
    return _file_summaries(
        connection.execute(
            select(*_FILE).where(among(rollouts.c.path, paths)).order_by(rollouts.c.path)
        )
    )


def _file_summaries(rows: Iterable[Any]) -> list[FileSummary]:
    files = []
    for row in rows:
        summary = _decoded(row.summary)
        if summary is not None and row.mtime_ns is not None:
            files.append(FileSummary(row.path, bool(row.archived), row.mtime_ns, summary))
    return files


def file_counts(connection: Connection, thread_ids: Collection[str], least: int) -> dict[str, int]:
    """How many files each of these threads has, of those that have so many at least."""
    rows = connection.execute(
        select(rollouts.c.thread_id, func.count())
        .where(among(rollouts.c.thread_id, thread_ids))
        .group_by(rollouts.c.thread_id)
        .having(func.count() >= least)
    )
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


def seen(
    connection: Connection, paths: Collection[str] | None = None
) -> Iterator[tuple[str, Seen]]:
    """What each row says of its file, or each of these files', one at a time.

    There may be hundreds of thousands.
    """
    if paths is None:
        yield from seen_unless(connection, {})
        return
    for row in connection.execute(_SEEN.where(among(rollouts.c.path, paths))):
        yield row.path, _seen(row)


def seen_unless(
    connection: Connection, known: dict[str, FileStamp | None]
) -> Iterator[tuple[str, Seen]]:
    """The same of every row, but for those that tell of the file just what is `known` by path.

    Those are taken out of `known`. They are nearly all of them, every minute: nothing is made of
    them, and the driver's own rows take a quarter of the time.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    for row in driver.execute(str(_SEEN)):
        path = row[0]
        if row[4:] == known.get(path) and row[3] == PARSER_VERSION:
            del known[path]
        else:
            yield path, _seen(row)


def _seen(row: Sequence[Any]) -> Seen:
    _, offset, error, parser_version, *stamp = row
    known = None if stamp[0] is None else FileStamp(*stamp)
    return Seen(known, offset or 0, error, parser_version)


def among_rows(connection: Connection, paths: Collection[str]) -> set[str]:
    """Those of these files that have a row."""
    query = select(rollouts.c.path).where(among(rollouts.c.path, paths))
    return set(connection.execute(query).scalars())


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


def failures(connection: Connection, limit: int | None = None) -> list[tuple[str, str]]:
    """Path and error of the files that have no thread, or cannot be read, by their paths."""
    rows = connection.execute(
        select(rollouts.c.path, rollouts.c.error)
        .where(rollouts.c.error.is_not(None))
        .order_by(rollouts.c.path)
        .limit(limit)
    ).all()
    return [(row.path, row.error) for row in rows]


def closed_paths(connection: Connection) -> list[str]:
    """Files that held a thread and could not be read when they were last looked at."""
    query = select(rollouts.c.path).where(
        rollouts.c.error.is_not(None), rollouts.c.thread_id.is_not(None)
    )
    return list(connection.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over all rows of `rollouts`."""

    indexed: int
    failed: int
    parse_errors: int
    bytes: int
    last_path: str | None

    @property
    def progress(self) -> dict[str, Any]:
        """The columns of `backfill_state` that tell of these, once all files are indexed."""
        files = self.indexed + self.failed
        return {
            "last_watermark": self.last_path,
            "total": files,
            "scanned": files,
            "upserted": self.indexed,
            "failed": self.failed,
        }


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


def rollout_row(reading: Reading) -> dict[str, Any]:
    """The row that a reading makes, but for the time of the indexing."""
    cursor, summary = reading.cursor, reading.summary
    if cursor is None:
        place: dict[str, Any] = dict.fromkeys((*FileStamp._fields, "offset", "anchors"))
    else:
        place = {**cursor.stamp._asdict(), "offset": cursor.offset, "anchors": cursor.anchors}
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
    }
