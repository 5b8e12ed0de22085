"""Drift: what a periodic reconcile found that no event had told of.

An event of what the reconcile saw first may be on its way still, or the next poll may bring it:
so whatever it found is only a suspicion until nothing has told of it for a while.
"""

from collections import Counter
from collections.abc import Container, Mapping
from typing import NamedTuple

from rolloutd.hints import Hints
from rolloutd.meter import Drift, Meter

# Longer than events are gathered for, and than the time between two polls.
_SECONDS = 3.0


class _Suspicion(NamedTuple):
    kind: Drift
    since: float


class Drifts:
    """Tells the meter of drift; times are of the monotonic clock."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._suspicions: dict[str, _Suspicion] = {}

    @property
    def are_settled(self) -> bool:
        """Whether there is no suspicion."""
        return not self._suspicions

    def suspect(self, found: Mapping[str, Drift], now: float) -> None:
        """A periodic reconcile, begun `now`, found these files to differ from their rows."""
        for path, kind in found.items():
            self._suspicions[path] = _Suspicion(kind, now)

    def hear(self, hints: Hints) -> None:
        """Drop the suspicions that hints explain."""
        if not self._suspicions:
            return
        if hints.everything:
            self._suspicions.clear()
        for path in hints.files:
            plain = path.removesuffix(".zst")
            self._suspicions.pop(plain, None)
            self._suspicions.pop(plain + ".zst", None)
        if hints.directories:
            for path in [each for each in self._suspicions if _lies_in(each, hints.directories)]:
                del self._suspicions[path]

    def settle(self, now: float) -> None:
        """What nothing has explained for long is drift."""
        settled = {
            path: suspicion.kind
            for path, suspicion in self._suspicions.items()
            if now - suspicion.since > _SECONDS
        }
        for path in settled:
            del self._suspicions[path]
        for kind, files in Counter(settled.values()).items():
            self._meter.drifted(kind, files)


def _lies_in(path: str, directories: Container[str]) -> bool:
    # There may be very many of either.
    while path := path.rpartition("/")[0]:
        if path in directories:
            return True
    return False
