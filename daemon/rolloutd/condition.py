"""How the daemon is, gathered from its parts: for `rolloutd status`, and for whoever asks it."""

import os
import threading
import time

from rolloutd.hints import Mailbox
from rolloutd.instance import DaemonState, Instance
from rolloutd.readiness import Parts, why_not_ready
from rolloutd.systemd.supervised import Signs
from rolloutd.telling import Progress
from rolloutd.watch import Watcher
from rolloutd.wording import size_text

_TELL_SECONDS = 1.0


class Condition:
    """Looks at the parts, from any thread.

    Attributes:
        progress: what the worker says of itself.
    """

    def __init__(
        self,
        instance: Instance,
        watcher: Watcher,
        mailbox: Mailbox,
        *,
        reconcile_seconds: float,
        has_endpoint: bool,
    ) -> None:
        self.progress = Progress(self.tell)
        self._endpoint: str | None = None
        self._has_endpoint = has_endpoint
        self._instance = instance
        self._watcher = watcher
        self._mailbox = mailbox
        self._reconcile_seconds = reconcile_seconds
        self._since_ms = time.time_ns() // 1_000_000
        self._telling = threading.Lock()
        self._told = -_TELL_SECONDS

    def why_not_ready(self) -> str | None:
        """See `readiness`."""
        progress = self.progress
        parts = Parts(
            progress.phase,
            self._endpoint is not None or not self._has_endpoint,
            self._watcher.armed.is_set(),
            progress.reconciled,
            progress.reconcile_takes,
        )
        return why_not_ready(parts, self._reconcile_seconds, time.monotonic())

    def hear_endpoint(self, url: str | None) -> None:
        """The endpoint is there, or is not any more."""
        self._endpoint = url
        self.tell(now=True)

    def state(self) -> DaemonState:
        """As it is now."""
        progress = self.progress
        return DaemonState(
            pid=os.getpid(),
            since_ms=self._since_ms,
            phase=progress.phase,
            metrics=None if self._endpoint is None else f"{self._endpoint}/metrics",
            watch=self._watcher.mode,
            watch_problem=self._watcher.problem,
            watch_restarts=self._watcher.restarts,
            last_event_ms=_ms(self._watcher.last_event),
            last_reconcile_ms=_ms(progress.last_reconcile),
            lag_ms=_ms(progress.lag),
            queue=self._mailbox.waiting(),
            problem=progress.problem,
        )

    def signs(self) -> Signs:
        """For the service manager."""
        progress = self.progress
        is_ready = self.why_not_ready() is None
        return Signs(is_ready, progress.beats, progress.looked, self._status())

    def _status(self) -> str:
        progress = self.progress
        if progress.problem is not None:
            return f"{progress.phase}: {progress.problem}"
        if progress.phase == "backfill" and progress.total:
            return f"backfill {progress.done}/{progress.total}, {size_text(progress.read)}"
        if progress.phase == "following" and progress.last_reconcile is not None:
            clock = time.strftime("%H:%M:%S", time.localtime(progress.last_reconcile))
            by = "" if self._watcher.mode == "native" else " by polling"
            return f"following {progress.rollouts} rollouts{by}, last reconcile {clock}"
        return progress.phase

    def tell(self, now: bool) -> None:  # noqa: FBT001
        """Say it to others; unless it is to be known `now`, not more than once a second."""
        if not now and time.monotonic() - self._told < _TELL_SECONDS:
            return
        with self._telling:
            self._told = time.monotonic()
            self._instance.tell(self.state())


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
