"""What a daemon owes the service manager that supervises it: readiness, signs of life, a status.

Signs of life are given only for work that has moved since the last one. Until the daemon is ready
they ask for more time to start; from then on they feed the watchdog. A daemon whose worker or
reader hangs gives none, and is started anew; a backfill of half an hour gives many, and is not.
"""

import time
from typing import NamedTuple

from rolloutd.systemd.notify import Notifier

# So much more time is asked for with each sign of life: as the unit's TimeoutStartSec, so that a
# start that hangs is noticed as soon at its end as at its beginning.
EXTENSION_SECONDS = 300
_SIGNS_A_WATCHDOG = 4
_MOST_SECONDS = 10.0
# Seconds between two looks, while the manager waits to hear of something, and else.
_PAUSE_SECONDS = 0.5
_CALM_PAUSE_SECONDS = 5.0
_LEAST_PAUSE_SECONDS = 0.05


class Signs(NamedTuple):
    """How the daemon is.

    Attributes:
        is_ready: whether it does what it is for.
        beats: a number that grows when the work moves, and only then.
        looked: when the last look at everything that has ended began, on the monotonic clock.
        status: one line for people.
    """

    is_ready: bool
    beats: int
    looked: float | None
    status: str


class Supervised:
    """Turns how the daemon is into what the manager is told; to be called every now and then."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        watchdog = notifier.watchdog
        longest = _MOST_SECONDS if watchdog is None else watchdog / _SIGNS_A_WATCHDOG
        self._period = min(longest, _MOST_SECONDS)
        self._is_ready = False
        self._asked: float | None = None  # when a reload was asked for that has not ended
        self._beats = 0
        self._signed = float("-inf")
        self._status = ""

    @property
    def pause(self) -> float:
        """How many seconds the next look may be put off."""
        is_calm = self._is_ready and self._asked is None
        longest = _CALM_PAUSE_SECONDS if is_calm else _PAUSE_SECONDS
        return max(_LEAST_PAUSE_SECONDS, min(longest, self._period / 2))

    def look(self, signs: Signs) -> None:
        """Tell the manager what is news to it; what it does not take, it is told again."""
        now = time.monotonic()
        news: dict[str, str | int] = {}
        if signs.is_ready if not self._is_ready else self._has_reloaded(signs):
            news["READY"] = 1
        if signs.status != self._status:
            news["STATUS"] = signs.status
        is_alive = signs.beats != self._beats and now - self._signed >= self._period
        if is_alive and (self._is_ready or "READY" in news):
            news["WATCHDOG"] = 1
        elif is_alive:
            news["EXTEND_TIMEOUT_USEC"] = EXTENSION_SECONDS * 1_000_000
        if not news or not self._notifier.tell(**news):
            return
        self._status = signs.status
        if "READY" in news:
            self._is_ready, self._asked = True, None
        if is_alive:
            self._beats, self._signed = signs.beats, now

    def _has_reloaded(self, signs: Signs) -> bool:
        return self._asked is not None and signs.looked is not None and signs.looked >= self._asked

    def reloading(self) -> None:
        """A look at everything was asked for; that has ended with one that begins from now on."""
        if self._is_ready:
            self._asked = time.monotonic()
            # Newer managers compare the time with that of their signal.
            self._notifier.tell(RELOADING=1, MONOTONIC_USEC=int(self._asked * 1e6))

    def stopping(self) -> None:
        """The daemon was asked to stop, or ends by itself."""
        self._notifier.tell(STOPPING=1, STATUS="stopping")
