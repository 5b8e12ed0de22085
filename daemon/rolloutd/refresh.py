"""Refreshing rows: what is there is indexed, and only then is what is gone dropped.

Files move while they are looked at: to the archive and back, to their compressed form and back.
Whoever finds one missing may have been too early where it is now, and too late where it was. So
whatever was missing is looked for again, there and wherever Codex would have moved it, before
anybody takes it for gone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rolloutd.batches import FEW_BYTES, FEW_FILES, Batches, readings_of
from rolloutd.indexer import Indexer
from rolloutd.meter import UNMETERED, Meter
from rolloutd.records import Reading
from rolloutd.rollout.discovery import Candidate
from rolloutd.rollout.whereabouts import forms_of, look_around, places_of, plain_of
from rolloutd.staleness import has_changed, jobs_of, offset_of
from rolloutd.state import rollouts
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease

# So often it is looked where files have moved while they were being looked at.
_ROUNDS = 4


class Chosen(NamedTuple):
    """What is to be done about files that are there.

    Attributes:
        changed: those to be read, about `unread` bytes of them.
        heavy: watermarks of those that would make this more than a little to read.
        hidden: watermarks of rows that are to go, for a file that is there hides theirs.
    """

    changed: Sequence[Candidate]
    unread: int
    heavy: Sequence[str] = ()
    hidden: Sequence[str] = ()


@dataclass(slots=True)
class Refreshed:
    """What came of looking at some files.

    Attributes:
        indexed: files whose rows are true now.
        threads: how many of them hold one.
        missing: watermarks of what is nowhere to be found.
        closed: what is there and cannot be read now, by watermarks.
        heavy: watermarks of files that would make this more than a little to read.
        obscure: there is something that only a reconcile can judge.
    """

    indexed: list[Candidate] = field(default_factory=list)
    threads: int = 0
    missing: dict[str, None] = field(default_factory=dict)
    closed: dict[str, Reading] = field(default_factory=dict)
    heavy: list[str] = field(default_factory=list)
    obscure: bool = False


class Refresh:
    """Makes rows true, within the lease of whoever says where to look."""

    def __init__(
        self,
        database: StateDatabase,
        home: Path,
        indexer: Indexer,
        batches: Batches,
        meter: Meter = UNMETERED,
    ) -> None:
        self._database = database
        self._home = home
        self._indexer = indexer
        self._batches = batches
        self._meter = meter

    def choose(
        self, present: Mapping[str, Candidate], hidden: Iterable[str], *, light: bool
    ) -> Chosen:
        """Compare with the rows; choose a little only, if it is to be `light`."""
        hidden = list(hidden)
        if not present and not hidden:
            return Chosen((), 0)
        with self._database.reading() as connection:
            rows = dict(rollouts.seen(connection, [*present, *hidden]))
        changed: list[Candidate] = []
        heavy: list[str] = []
        unread = 0
        for path, candidate in present.items():
            row = rows.get(path)
            if has_changed(candidate, row):
                size = candidate.size - offset_of(candidate, row)
                is_little = unread + size <= FEW_BYTES and len(changed) < FEW_FILES
                if light and not is_little:
                    heavy.append(path)
                else:
                    unread += size
                    changed.append(candidate)
        return Chosen(changed, unread, heavy, [path for path in hidden if path in rows])

    def index(
        self, lease: Lease, chosen: Chosen, absent: Iterable[str], *, light: bool = False
    ) -> Refreshed:
        """Index what was chosen, and what has become of what was absent, or vanishes meanwhile.

        Raises:
            Stopped, LeaseLost: see `Batches.read`, `Lease.transaction`.
        """
        done = Refreshed(missing=dict.fromkeys(chosen.hidden), heavy=[*chosen.heavy])
        lost = dict.fromkeys(absent)
        for _ in range(_ROUNDS):
            lost |= dict.fromkeys(self._store(lease, chosen, done))
            found = self._look_for(lost, done)
            done.missing = {path: None for path in done.missing | lost if path not in found}
            chosen, lost = self.choose(found, (), light=light), {}
            done.heavy += chosen.heavy
            if not chosen.changed:
                return done
        # Some never hold still, and nobody can say which of the others they were.
        done.missing, done.obscure = {}, True
        return done

    def drop(
        self, lease: Lease, done: Refreshed, is_gone: Callable[[str, int | None], bool]
    ) -> Sequence[str]:
        """Drop the rows of what is missing, where that means that it is gone; returns theirs.

        Where it does, `is_gone` tells of a watermark and the device that the file was on. What is
        known of a file that has moved, and cannot be read where it is now, goes with it.

        Raises:
            LeaseLost: see `Lease.transaction`.
        """
        missing = list(done.missing)
        if not missing:
            return missing
        with self._database.reading() as connection:
            rows = rollouts.seen(connection, missing)
            gone = [path for path, row in rows if is_gone(path, row.device)]
        for start in range(0, len(gone), self._batches.size):
            portion = gone[start : start + self._batches.size]
            moved = {path: file for path in portion if (file := _moved(path, done.closed))}
            with lease.transaction() as connection:
                self._indexer.move(connection, moved)
                self._indexer.store(connection, [], portion)
            self._meter.removed(len(portion))
        return gone

    def _store(self, lease: Lease, chosen: Chosen, done: Refreshed) -> Iterator[str]:
        """Read and store; yields what has vanished since it was looked at."""
        jobs = jobs_of(self._database, chosen.changed)
        for batch in self._batches.read(chosen.changed, jobs, chosen.unread):
            readings = readings_of(batch)
            with lease.transaction() as connection:
                self._indexer.store(connection, readings)
            done.indexed += [candidate for candidate, reading in batch if reading is not None]
            done.closed |= {each.path: each for each in readings if each.closed}
            done.threads += sum(reading.error is None for reading in readings)
            yield from (candidate.path for candidate, reading in batch if reading is None)

    def _look_for(self, lost: dict[str, None], done: Refreshed) -> dict[str, Candidate]:
        found: dict[str, Candidate] = {}
        for plain in dict.fromkeys(map(plain_of, lost)):
            try:
                found |= {each.path: each for each in look_around(self._home, plain)}
            except OSError:
                # It cannot be told what is there: the rows stay as they are.
                done.obscure = True
                for path in forms_of(plain):
                    lost.pop(path, None)
        return found


def _moved(path: str, closed: Mapping[str, Reading]) -> Reading | None:
    """The one of these files that Codex would have made of a file that was at `path`."""
    forms = (form for place in places_of(path) for form in forms_of(place))
    return next((closed[form] for form in forms if form in closed), None)
