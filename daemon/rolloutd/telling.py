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
        lag: seconds from the last change of a file to its row's commit, in the last batch.
    """

    tell: Callable[[bool], None]
    phase: Phase = "starting"
    problem: str | None = None
    last_reconcile: float | None = None
    reconciled: float | None = None
    reconcile_took: float = 0.0
    lag: float | None = None

    @property
    def last_reconcile_began(self) -> float:
        """When the last look at everything began, epoch seconds; 0 before the first."""
        return (self.last_reconcile or self.reconcile_took) - self.reconcile_took

    def reconciled_in(self, seconds: float) -> None:
        """Everything was compared just now, with success, in so many seconds."""
        self.last_reconcile = time.time()
        self.reconciled = time.monotonic()
        self.reconcile_took = seconds
