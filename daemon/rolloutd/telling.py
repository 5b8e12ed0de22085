"""What the worker says of itself while it works."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rolloutd.readiness import Phase


@dataclass(slots=True)
class Progress:
    """How the worker is. Times in epoch seconds.

    Attributes:
        tell: called in the worker's thread whenever something may be different here; its
            argument says that this should be known at once.
        reconciled: when `last_reconcile` was on the monotonic clock.
        reconcile_took: how many seconds it took.
        looking_since: when the look at everything that is at hand began, on the monotonic clock.
        looked: when the last look at everything that has ended began, on the monotonic clock;
            whether it succeeded or not.
        lag: seconds from the last change of a file to its row's commit, in the last batch.
        beats: grows when the work has moved, and only then; what the watchdog is fed with.
        moved: when that was, on the monotonic clock.
        strangers: grows when somebody else has written, or may have, into the database.
        rollouts: how many files the last reconcile compared.
        total, done, read: files of the pass at hand; how many, and how many bytes, are done.
    """

    tell: Callable[[bool], None]
    phase: Phase = "starting"
    problem: str | None = None
    last_reconcile: float | None = None
    reconciled: float | None = None
    reconcile_took: float = 0.0
    looking_since: float | None = None
    looked: float | None = None
    lag: float | None = None
    beats: int = 0
    moved: float = 0.0
    strangers: int = 0
    rollouts: int = 0
    total: int = 0
    done: int = 0
    read: int = 0

    def beat(self) -> None:
        """The work has moved."""
        self.beats += 1
        self.moved = time.monotonic()

    def expect(self, files: int) -> None:
        """A pass over so many files begins."""
        self.total, self.done, self.read = files, 0, 0
        self.beat()

    def advance(self, files: int, size: int) -> None:
        """So much more of it is done; nothing is told, too, while readers are waited for."""
        self.done += files
        self.read += size
        if files or size:
            self.beat()

    @property
    def reconcile_takes(self) -> float:
        """Seconds: what the last one took, or the one at hand has moved for, if that is more.

        After an upgrade one reads everything again.
        """
        at_hand = 0.0 if self.looking_since is None else self.moved - self.looking_since
        return max(self.reconcile_took, at_hand)

    @property
    def last_reconcile_began(self) -> float:
        """When the last look at everything began, epoch seconds; 0 before the first."""
        return (self.last_reconcile or self.reconcile_took) - self.reconcile_took

    def reconciled_in(self, seconds: float) -> None:
        """Everything was compared just now, with success, in so many seconds."""
        self.last_reconcile = time.time()
        self.reconciled = time.monotonic()
        self.reconcile_took = seconds
