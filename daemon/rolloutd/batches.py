"""Reading many rollouts, a batch at a time: the part that backfill and reconcile share."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from rolloutd.errors import RolloutdError
from rolloutd.meter import UNMETERED, Meter
from rolloutd.records import Reading
from rolloutd.rollout.discovery import Candidate
from rolloutd.rollout.here import read_here
from rolloutd.rollout.messages import Job
from rolloutd.rollout.names import encoding_of, is_archived
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state.lease import BackfillState
from rolloutd.state.process import Owner

# A batch of long texts is cut short: it is held, and written, as a whole.
_BATCH_WEIGHT = 8 * 1024 * 1024

# So little is read before other processes could be started for it.
FEW_FILES = 64
FEW_BYTES = 16 * 1024 * 1024


class Stopped(RolloutdError):
    """The work was interrupted on request; what was done is kept and the lease given back."""

    def __init__(self) -> None:
        super().__init__("interrupted; what was done is kept, the next run goes on from there")


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms on which the lease is asked for and work is cut up; times in seconds.

    `owner` is who asks; this process, unless given. `leaves_outdated` says that files which only
    another version has read are left for later.
    """

    batch_size: int = 200
    lease_seconds: float = 900
    wait_seconds: float = 30
    owner: Owner | None = None
    leaves_outdated: bool = False


class Observer(Protocol):
    """Who wants to know how far the work is; sizes are in bytes."""

    def looking(self) -> None:
        """Some more files were found, of which it is not known yet how many there are."""

    def expect(self, files: int, size: int) -> None:
        """So much is to be looked at."""

    def advance(self, files: int, size: int) -> None:
        """So much more is done."""

    def wait(self, state: BackfillState) -> None:
        """Another worker holds the lease."""


class Outcome(NamedTuple):
    """A candidate and what was read of it; None if the file is gone."""

    candidate: Candidate
    reading: Reading | None


class Batches:
    """Reads candidates in their order.

    `size` is how many files make a batch at most, `taken` how many bytes were read so far.
    `meanwhile`, if given, is called several times a second during long reading, outside of any
    transaction; `committed`, when whoever asked has done with a batch.
    """

    def __init__(
        self,
        pool: ReaderPool,
        observer: Observer,
        size: int,
        stopping: Callable[[], bool],
        meanwhile: Callable[[], None] | None = None,
        *,
        committed: Callable[[list[Outcome]], None] | None = None,
        meter: Meter = UNMETERED,
    ) -> None:
        self.taken = 0
        self._pool = pool
        self._home = pool.home
        self._observer = observer
        self.size = size
        self._stopping = stopping
        self._meanwhile = meanwhile
        self._committed = committed
        self._meter = meter

    def read(
        self, candidates: Sequence[Candidate], jobs: Iterable[Job], unread: int
    ) -> Iterator[list[Outcome]]:
        """Batches of outcomes, of the candidates in their order.

        `jobs` are those of the candidates that have no problem, with about `unread` bytes to be
        read. When stopping, a last batch holds what was read by then.

        Raises:
            Stopped: after that batch.
        """

        def tick(taken: int) -> None:
            self.taken += taken
            self._meter.read(taken)
            self._observer.advance(0, taken)
            self._stop_if_asked()
            if self._meanwhile is not None and not light:
                self._meanwhile()

        batch: list[Outcome] = []
        weight, began = 0, time.monotonic()
        light = len(candidates) <= FEW_FILES and unread <= FEW_BYTES and not self._pool.has_begun
        results = read_here(self._home, jobs, tick) if light else self._pool.read(jobs, tick)
        try:
            for candidate in candidates:
                if candidate.problem is None:
                    _, reading = next(results)
                else:
                    reading = problem_reading(candidate)
                batch.append(Outcome(candidate, reading))
                self._observer.advance(1, 0)
                weight += reading.weight if reading is not None else 0
                if len(batch) == self.size or weight >= _BATCH_WEIGHT:
                    yield from self._handed(batch, began)
                    batch, weight, began = [], 0, time.monotonic()
                    self._stop_if_asked()
        except Stopped:
            if batch:
                yield from self._handed(batch, began)
            raise
        if batch:
            yield from self._handed(batch, began)

    def _handed(self, batch: list[Outcome], began: float) -> Iterator[list[Outcome]]:
        yield batch
        # Whoever asks for the next one has committed this one.
        errors = [reading.error for reading in readings_of(batch)]
        indexed = errors.count(None)
        self._meter.stored(indexed, len(errors) - indexed, time.monotonic() - began)
        if self._committed is not None:
            self._committed(batch)

    def _stop_if_asked(self) -> None:
        if self._stopping():
            raise Stopped


def readings_of(batch: Iterable[Outcome]) -> list[Reading]:
    """What was read."""
    return [reading for _, reading in batch if reading is not None]


def problem_reading(candidate: Candidate) -> Reading:
    """What stands for a file that cannot be read."""
    path = candidate.path
    return Reading(path, is_archived(path), encoding_of(path), error=candidate.problem)
