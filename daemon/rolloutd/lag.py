"""Lag: how late rows were, from a file's last change to the commit of its row."""

import time
from collections.abc import Iterable

from rolloutd.batches import Outcome
from rolloutd.meter import Meter
from rolloutd.telling import Progress


class Lag:
    """Looks at batches once they are committed."""

    def __init__(self, progress: Progress, meter: Meter) -> None:
        self._progress = progress
        self._meter = meter

    def see(self, batch: Iterable[Outcome]) -> None:
        """Tell how late each row was.

        What had changed before everything was last compared is not late: a rename has brought it
        since, or its row was to be written again for another reason.
        """
        now, compared = time.time(), self._progress.last_reconcile_began
        changed = (
            candidate.stamp.ctime_ns / 1e9
            for candidate, reading in batch
            if candidate.stamp is not None and reading is not None
        )
        lags = [max(0.0, now - when) for when in changed if when >= compared]
        for lag in lags:
            self._meter.lagged(lag)
        if lags:
            self._progress.lag = max(lags)
