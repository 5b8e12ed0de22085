"""Reading many rollouts, a batch at a time: the part that backfill and reconcile share."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from rolloutd.errors import RolloutdError
from rolloutd.records import Reading
from rolloutd.rollout.discovery import Candidate
from rolloutd.rollout.messages import Job
from rolloutd.rollout.names import encoding_of, is_archived
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state.lease import BackfillState

# A batch of long texts is cut short: it is held, and written, as a whole.
_BATCH_WEIGHT = 8 * 1024 * 1024


class Stopped(RolloutdError):
    """The work was interrupted on request; what was done is kept and the lease given back."""

    def __init__(self) -> None:
        super().__init__("interrupted; what was done is kept, the next run goes on from there")


class Observer(Protocol):
    """Who wants to know how far the work is; sizes are in bytes."""

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

    `taken` is how many bytes were read so far.
    """

    def __init__(
        self, pool: ReaderPool, observer: Observer, size: int, stopping: Callable[[], bool]
    ) -> None:
        self.taken = 0
        self._pool = pool
        self._observer = observer
        self._size = size
        self._stopping = stopping

    def read(self, candidates: Sequence[Candidate], jobs: Iterable[Job]) -> Iterator[list[Outcome]]:
        """Batches of outcomes, of the candidates in their order.

        `jobs` are those of the candidates that have no problem. When stopping, a last batch
        holds what was read by then.

        Raises:
            Stopped: after that batch.
        """

        def tick(taken: int) -> None:
            self.taken += taken
            self._observer.advance(0, taken)
            self._stop_if_asked()

        batch: list[Outcome] = []
        weight = 0
        results = self._pool.read(jobs, tick)
        try:
            for candidate in candidates:
                if candidate.problem is None:
                    _, reading = next(results)
                else:
                    reading = _problem_reading(candidate)
                batch.append(Outcome(candidate, reading))
                self._observer.advance(1, 0)
                weight += reading.weight if reading is not None else 0
                if len(batch) == self._size or weight >= _BATCH_WEIGHT:
                    yield batch
                    batch, weight = [], 0
                    self._stop_if_asked()
        except Stopped:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    def _stop_if_asked(self) -> None:
        if self._stopping():
            raise Stopped


def readings_of(batch: Iterable[Outcome]) -> list[Reading]:
    """What was read."""
    return [reading for _, reading in batch if reading is not None]


def _problem_reading(candidate: Candidate) -> Reading:
    path = candidate.path
    return Reading(path, is_archived(path), encoding_of(path), error=candidate.problem)
