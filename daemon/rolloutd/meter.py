"""What the worker tells of its work, for whoever counts it.

The worker knows this protocol only; `rolloutd.metrics` implements it for the daemon's endpoint.
"""

from typing import Final, Literal, Protocol, TypeAlias

# Where an error was met.
Stage: TypeAlias = Literal["watch", "discover", "read", "database", "names", "endpoint"]
# How a backfill has ended: with failed files it is a partial failure.
Outcome: TypeAlias = Literal["success", "partial_failure", "failed"]
# What a reconcile found that no event had told of: no row, a row of what was there before, or a
# row of what is not there any more.
Drift: TypeAlias = Literal["missing", "stale", "gone"]


class Meter(Protocol):
    """Told by any thread; sizes are bytes, times seconds. Must be cheap, and never raises."""

    def read(self, size: int) -> None:
        """So much was read of rollouts."""

    def stored(self, indexed: int, failed: int, seconds: float) -> None:
        """A batch of files was read and committed; the failed ones hold no thread."""

    def removed(self, files: int) -> None:
        """The rows of so many files were dropped."""

    def lagged(self, seconds: float) -> None:
        """A row was committed so long after its file's last change."""

    def passed(self, indexed: int, failed: int) -> None:
        """So many files of the backfill's pass were committed."""

    def backfilled(self, outcome: Outcome, seconds: float) -> None:
        """A backfill has ended."""

    def took_over(self) -> None:
        """A lease was taken that another worker had not given back."""

    def reconciled(self, seconds: float) -> None:
        """Everything was compared, with success."""

    def drifted(self, kind: Drift, files: int) -> None:
        """A periodic reconcile found what no event had told of."""

    def lost_events(self) -> None:
        """Events have probably been lost."""

    def waited(self) -> None:
        """Another process's transaction was waited for, in vain."""

    def failed(self, stage: Stage) -> None:
        """Something went wrong that the worker lives with."""


class Unmetered:
    """For work that nobody counts."""

    def read(self, size: int) -> None:
        """See `Meter`."""

    def stored(self, indexed: int, failed: int, seconds: float) -> None:
        """See `Meter`."""

    def removed(self, files: int) -> None:
        """See `Meter`."""

    def lagged(self, seconds: float) -> None:
        """See `Meter`."""

    def passed(self, indexed: int, failed: int) -> None:
        """See `Meter`."""

    def backfilled(self, outcome: Outcome, seconds: float) -> None:
        """See `Meter`."""

    def took_over(self) -> None:
        """See `Meter`."""

    def reconciled(self, seconds: float) -> None:
        """See `Meter`."""

    def drifted(self, kind: Drift, files: int) -> None:
        """See `Meter`."""

    def lost_events(self) -> None:
        """See `Meter`."""

    def waited(self) -> None:
        """See `Meter`."""

    def failed(self, stage: Stage) -> None:
        """See `Meter`."""


UNMETERED: Final = Unmetered()
