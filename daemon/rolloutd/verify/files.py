"""Rollouts and their rows: whether each row says what its file says."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import msgspec
from msgspec.structs import replace

from rolloutd.batches import Batches, Observer, Stopped, problem_reading
from rolloutd.records import PARSER_VERSION, Cursor, FileStamp, Reading, Summary
from rolloutd.rollout.discovery import Candidate
from rolloutd.rollout.glance import glance
from rolloutd.rollout.messages import Job
from rolloutd.rollout.names import encoding_of, identity_from_name, is_archived
from rolloutd.rollout.reading import why_no_thread
from rolloutd.state.database import StateDatabase
from rolloutd.state.rollouts import rollout_row
from rolloutd.state.stored import Values, stored_rollouts
from rolloutd.verify.findings import Finding, Kind

_ROWS_AT_ONCE = 500
_CURSOR = frozenset({"offset", "anchors", "resume"})
_STAMP = frozenset(FileStamp._fields)
_decode = msgspec.json.Decoder(Summary).decode


class Files:
    """Compares files with their rows: at a glance, or `deep`, folding each from the start."""

    def __init__(
        self,
        database: StateDatabase,
        home: Path,
        batches: Batches,
        observer: Observer,
        stopping: Callable[[], bool],
        *,
        deep: bool,
    ) -> None:
        self._database = database
        self._home = os.fspath(home)
        self._batches = batches
        self._observer = observer
        self._stopping = stopping
        self._deep = deep

    def compare(
        self, candidates: Sequence[Candidate], before: Mapping[str, Finding]
    ) -> Iterator[Finding]:
        """What differs, in no particular order.

        `before` is what an earlier look found, by path: a row that has caught up since with what
        that look saw is a true one, though its file may have grown again.

        Raises:
            Stopped: on request.
        """
        folded = []
        for portion in _portions(candidates):
            if self._stopping():
                raise Stopped
            rows = self._rows(portion)
            for candidate in portion:
                row = rows.get(candidate.path)
                if row is not None and self._must_fold(candidate, row):
                    folded.append(candidate)
                    continue
                self._observer.advance(1, candidate.size)
                finding = self._judged(candidate, row, before.get(candidate.path))
                if finding is not None:
                    yield finding
        if folded:
            yield from self._folded(folded, before)

    def _must_fold(self, candidate: Candidate, row: Values) -> bool:
        """Whether only reading the file can tell; always so of one that could not be opened."""
        if candidate.problem is not None or row["parser_version"] != PARSER_VERSION:
            return False
        return self._deep or row["device"] is None

    def _judged(
        self, candidate: Candidate, row: Values | None, before: Finding | None
    ) -> Finding | None:
        path = candidate.path
        if row is None:
            # What lies below a folder that cannot be listed is no file without a row.
            is_file = not candidate.is_directory
            return Finding(Kind.MISSING, path, stamp=candidate.stamp) if is_file else None
        if row["parser_version"] != PARSER_VERSION:
            return None if self._is_closed(candidate, row) else _found(Kind.PARSER, candidate, row)
        if candidate.problem is not None:
            return _difference(candidate, row, problem_reading(candidate))
        if candidate.stamp != stamp_of(row):
            return None if _has_caught_up(row, before) else self._changed(candidate, row)
        made = _made_of_itself(row)
        if made is None:
            return _found(Kind.MISMATCHED, candidate, row, "the summary cannot be read")
        return _difference(candidate, row, made) or self._glanced(candidate, row)

    def _changed(self, candidate: Candidate, row: Values) -> Finding:
        why = self._why_closed(candidate)
        return _found(Kind.UNREACHABLE if why else Kind.STALE, candidate, row, why or "")

    def _is_closed(self, candidate: Candidate, row: Values) -> bool:
        """Whether the row was kept for a file that cannot be read, and still cannot."""
        if candidate.problem is not None or row["error"] is None or row["thread_id"] is None:
            return False
        return self._why_closed(candidate) is not None

    def _why_closed(self, candidate: Candidate) -> str | None:
        """Why a file cannot be read now; None if it can."""
        try:
            glance(self._home, candidate.path, 0, wants_thread=False)
        except OSError as error:
            return str(error.strerror)
        return None

    def _glanced(self, candidate: Candidate, row: Values) -> Finding | None:
        """Compare with the file itself, where stat and row agree."""
        path, offset, thread_id = candidate.path, row["offset"], row["thread_id"]
        if offset is None or not 0 <= offset <= candidate.size:
            return _found(Kind.CURSOR, candidate, row, f"{offset} of {candidate.size} bytes")
        # The record is asked where the file's name does not vouch for the row.
        named = identity_from_name(path)
        wants_thread = row["error"] is None and (named is None or named[0] != thread_id)
        try:
            seen = glance(self._home, path, offset, wants_thread=wants_thread)
        except OSError as error:
            return _found(Kind.STALE, candidate, row, str(error.strerror))
        if seen.stamp != candidate.stamp:
            return _found(Kind.STALE, candidate, row)
        if seen.anchors != row["anchors"]:
            return _found(Kind.CURSOR, candidate, row, f"other bytes before {offset}")
        if seen.thread_id not in (None, thread_id):
            return _found(Kind.MISMATCHED, candidate, row, "the file holds another thread")
        return None

    def _folded(
        self, candidates: Sequence[Candidate], before: Mapping[str, Finding]
    ) -> Iterator[Finding]:
        # Each row is taken down before its file is read: a file only ever gets ahead of it.
        rows: dict[str, Values] = {}
        unread = sum(candidate.size for candidate in candidates)
        jobs = self._jobs(candidates, rows)
        for batch in self._batches.read(candidates, jobs, unread):
            for candidate, reading in batch:
                row = rows.pop(candidate.path, None)
                if row is None:
                    yield Finding(Kind.MISSING, candidate.path, stamp=candidate.stamp)
                elif reading is None:
                    yield _found(Kind.GONE, candidate, row)
                else:
                    finding = _compared(candidate, row, reading, before.get(candidate.path))
                    if finding is not None:
                        yield finding

    def _jobs(self, candidates: Sequence[Candidate], rows: dict[str, Values]) -> Iterator[Job]:
        for portion in _portions(candidates):
            rows |= self._rows(portion)
            for candidate in portion:
                size = rows[candidate.path]["size"] if candidate.path in rows else None
                limit = size if encoding_of(candidate.path) == "plain" else None
                yield Job(candidate.path, candidate.size, limit=limit)

    def _rows(self, candidates: Iterable[Candidate]) -> dict[str, Values]:
        with self._database.reading() as connection:
            return stored_rollouts(connection, [candidate.path for candidate in candidates])


def stamp_of(row: Values) -> FileStamp:
    """The state of the file that a row is of; numbers may be missing in it."""
    return FileStamp(*(row[name] for name in FileStamp._fields))


def _compared(
    candidate: Candidate, row: Values, reading: Reading, before: Finding | None
) -> Finding | None:
    """Compare a row with a reading of its file, up to the size that the row tells."""
    if reading.closed and row["thread_id"] is not None:
        return _found(Kind.UNREACHABLE, candidate, row, str(reading.error))
    stamp, cursor = stamp_of(row), reading.cursor
    if cursor is None or cursor.stamp == stamp:
        return _difference(candidate, row, reading)
    has_grown = (
        reading.encoding == "plain"
        and row["size"] is not None
        and cursor.stamp[:2] == stamp[:2]
        and cursor.stamp.size > stamp.size
    )
    was_true = has_grown and _difference(candidate, row, reading, but=_STAMP) is None
    if was_true and _has_caught_up(row, before):
        return None
    return _found(Kind.STALE, replace(candidate, packed=cursor.stamp.packed()), row)


def _difference(
    candidate: Candidate, row: Values, reading: Reading, but: frozenset[str] = frozenset()
) -> Finding | None:
    """Which columns are others than those that a reading makes."""
    wrong = [
        column
        for column, value in rollout_row(reading).items()
        if column not in but and row[column] != value
    ]
    if not wrong:
        return None
    kind = Kind.CURSOR if _CURSOR.issuperset(wrong) else Kind.MISMATCHED
    return _found(kind, candidate, row, ", ".join(wrong))


def _made_of_itself(row: Values) -> Reading | None:
    """The reading that a row tells of: what it makes must be that row."""
    path, error = row["path"], row["error"]
    try:
        summary = _decode(row["summary"])
        resume = None if row["resume"] is None else _decode(row["resume"])
    except msgspec.DecodeError:
        return None
    if encoding_of(path) == "plain" or error is None:
        error = why_no_thread(summary)
    cursor = Cursor(stamp_of(row), row["offset"], row["anchors"])
    return Reading(path, is_archived(path), encoding_of(path), cursor, summary, resume, error)


def _has_caught_up(row: Values, before: Finding | None) -> bool:
    """Whether the row was written since, of what that look saw of the file or later."""
    if before is None or before.stamp is None:
        return False
    is_new = row["indexed_at_ms"] > (before.indexed_at_ms or 0)
    return bool(is_new and row["ctime_ns"] >= before.stamp.ctime_ns)


def _found(kind: Kind, candidate: Candidate, row: Values, detail: str = "") -> Finding:
    return Finding(
        kind,
        candidate.path,
        row["thread_id"],
        detail=detail,
        stamp=candidate.stamp,
        indexed_at_ms=row["indexed_at_ms"],
    )


def _portions(candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    pending = iter(candidates)
    while portion := tuple(islice(pending, _ROWS_AT_ONCE)):
        yield portion
