"""Reconcile: make the database say what is on disk now, reading only what has changed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rolloutd.batches import Batches, Observer, readings_of
from rolloutd.errors import HomeUnavailable
from rolloutd.indexer import Indexer
from rolloutd.meter import UNMETERED, Drift, Meter
from rolloutd.records import PARSER_VERSION
from rolloutd.rollout.discovery import Candidate, Discovery, discover
from rolloutd.rollout.messages import Job
from rolloutd.state import rollouts
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Files that were compared, indexed because they had changed, and dropped.

    `drift` says of each file that did not equal its row in which way.
    """

    scanned: int
    upserted: int
    removed: int
    drift: dict[str, Drift] = field(default_factory=dict)


class Reconcile:
    """Compares every file with its cursor."""

    def __init__(
        self,
        database: StateDatabase,
        indexer: Indexer,
        batches: Batches,
        observer: Observer,
        meter: Meter = UNMETERED,
    ) -> None:
        self._database = database
        self._indexer = indexer
        self._batches = batches
        self._observer = observer
        self._meter = meter

    def run(self, lease: Lease, discovery: Discovery, batch_size: int) -> Reconciled:
        """Index what is new or has changed, then drop what is gone.

        In this order, so that a thread whose file has moved is never absent in between.

        Raises:
            Stopped, LeaseLost: see `Batches.read`, `Lease.transaction`.
        """
        to_read = {each.path: each for each in discovery.candidates}
        drift: dict[str, Drift] = dict.fromkeys(to_read, "missing")
        absent = []
        unread = sum(each.size for each in discovery.candidates)
        with self._database.reading() as connection:
            for path, row in rollouts.seen(connection):
                candidate = to_read.get(path)
                if candidate is None:
                    absent.append(path)
                elif has_changed(candidate, row):
                    unread -= offset_of(candidate, row)
                    drift[path] = "stale"
                else:
                    unread -= candidate.size
                    del to_read[path], drift[path]
        changed = list(to_read.values())
        if changed:
            self._observer.expect(len(changed), unread)
        upserted = 0
        jobs = jobs_of(self._database, changed)
        for batch in self._batches.read(changed, jobs, unread):
            readings = readings_of(batch)
            upserted += sum(reading.error is None for reading in readings)
            absent += [each.path for each, reading in batch if reading is None]
            with lease.transaction() as connection:
                self._indexer.store(connection, readings)
        discovery = discovery.still_there()
        gone = [path for path in absent if discovery.covers(path)]
        for paths in _portions(gone, batch_size):
            with lease.transaction() as connection:
                self._indexer.store(connection, [], paths)
            self._meter.removed(len(paths))
        drift |= dict.fromkeys(gone, "gone")
        return Reconciled(len(discovery.candidates), upserted, len(gone), drift)


def discover_all(home: Path, looking: Callable[[], None]) -> Discovery:
    """Every rollout of a home that is there; `looking` as for `discover`.

    Raises:
        HomeUnavailable: it is not, or has no `sessions/` that can be listed.
    """
    try:
        discovery = discover(home, looking)
    except OSError as error:
        raise HomeUnavailable(f"{home}: {error.strerror}") from error
    if not discovery.roots and not home.is_dir():
        raise HomeUnavailable(f"{home}: no such Codex home")
    if "sessions" not in discovery.roots:
        raise HomeUnavailable(f"{home}: there is no sessions/ in it")
    if "sessions" in discovery.unlisted:
        raise HomeUnavailable(f"{home}: sessions/ cannot be listed")
    return discovery


def jobs_of(database: StateDatabase, candidates: Iterable[Candidate]) -> Iterator[Job]:
    """What is to be read of those that have no problem, each from where reading stopped."""
    for candidate in candidates:
        if candidate.problem is None:
            with database.reading() as connection:
                known = rollouts.known(connection, candidate.path)
            yield Job(candidate.path, candidate.size, known)


def has_changed(candidate: Candidate, row: rollouts.Seen | None) -> bool:
    """Whether a file has to be read again, by what its row says of it."""
    if row is None or row.parser_version != PARSER_VERSION:
        return True
    if candidate.problem is not None:
        return row.error != candidate.problem
    return candidate.stamp != row.stamp


def offset_of(candidate: Candidate, row: rollouts.Seen | None) -> int:
    """From where a file is to be read, unless it turns out to be another one."""
    if (
        row is None
        or row.stamp is None
        or candidate.stamp is None
        or row.parser_version != PARSER_VERSION
        or candidate.path.endswith(".zst")
        or candidate.stamp[:2] != row.stamp[:2]
        or candidate.size < row.offset
    ):
        return 0
    return row.offset


def _portions(paths: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), size):
        yield paths[start : start + size]
