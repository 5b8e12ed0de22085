"""Reconcile: make the database say what is on disk now, reading only what has changed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rolloutd.batches import Batches, Observer, gone_of, readings_of
from rolloutd.indexer import Indexer
from rolloutd.records import PARSER_VERSION
from rolloutd.rollout.discovery import Candidate, Discovery
from rolloutd.rollout.messages import Job
from rolloutd.state import rollouts
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Files that were compared, indexed because they had changed, and dropped."""

    scanned: int
    upserted: int
    removed: int


class Reconcile:
    """Compares every file with its cursor."""

    def __init__(
        self, database: StateDatabase, indexer: Indexer, batches: Batches, observer: Observer
    ) -> None:
        self._database = database
        self._indexer = indexer
        self._batches = batches
        self._observer = observer

    def run(self, lease: Lease, discovery: Discovery, batch_size: int) -> Reconciled:
        """Index what is new or has changed, then drop what is gone.

        In this order, so that a thread whose file has moved is never absent in between.

        Raises:
            Stopped, LeaseLost: see `Batches.read`.
        """
        with self._database.reading() as connection:
            stamps = rollouts.stamps(connection)
        changed = [
            each for each in discovery.candidates if has_changed(each, stamps.get(each.path))
        ]
        unread = sum(unread_size(each, stamps.get(each.path)) for each in changed)
        if changed:
            self._observer.expect(len(changed), unread)
        upserted = 0
        jobs = jobs_of(self._database, changed)
        for batch in self._batches.read(lease, changed, jobs, unread):
            readings = readings_of(batch)
            upserted += sum(reading.error is None for reading in readings)
            with lease.transaction() as connection:
                self._indexer.store(connection, readings, gone_of(batch))
        present = {candidate.path for candidate in discovery.candidates}
        gone = [path for path in stamps if path not in present and discovery.covers(path)]
        for paths in _portions(gone, batch_size):
            with lease.transaction() as connection:
                self._indexer.store(connection, [], paths)
        return Reconciled(len(discovery.candidates), upserted, len(gone))


def jobs_of(database: StateDatabase, candidates: Iterable[Candidate]) -> Iterator[Job]:
    """What is to be read of those that have no problem, each from where reading stopped."""
    for candidate in candidates:
        if candidate.problem is None:
            with database.reading() as connection:
                known = rollouts.known(connection, candidate.path)
            yield Job(candidate.path, candidate.size, known)


def has_changed(candidate: Candidate, stamp: rollouts.Stamp | None) -> bool:
    """Whether a file has to be read again, by what its row says of it."""
    if stamp is None or stamp.parser_version != PARSER_VERSION:
        return True
    if candidate.problem is not None:
        return stamp.error != candidate.problem
    return (
        candidate.ctime_ns != stamp.ctime_ns
        or candidate.mtime_ns != stamp.mtime_ns
        or candidate.size != stamp.size
        or candidate.inode != stamp.inode
        or candidate.device != stamp.device
    )


def unread_size(candidate: Candidate, stamp: rollouts.Stamp | None) -> int:
    """How many bytes there are to be read, unless the file turns out to be another one."""
    known = 0
    if (
        stamp is not None
        and stamp.offset is not None
        and stamp.parser_version == PARSER_VERSION
        and (candidate.device, candidate.inode) == (stamp.device, stamp.inode)
        and candidate.size >= stamp.offset
        and not candidate.path.endswith(".zst")
    ):
        known = stamp.offset
    return candidate.size - known


def _portions(paths: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]
