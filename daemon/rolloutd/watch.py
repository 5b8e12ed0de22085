"""The watcher: native file events where they can be had, and honesty where they cannot.

Events only say where to look. What they do not tell is made up for elsewhere: a directory event
scans that directory, a reconcile looks at everything every now and then. Here it is made sure
that all that is there is watched, and that it is known where this cannot be.
"""

import logging
import os
import time
from contextlib import closing
from math import inf
from pathlib import Path
from typing import Literal, TypeAlias

import anyio
import anyio.from_thread
from watchfiles._rust_notify import WatchfilesRustInternalError

from rolloutd.events import FileEvent, Watches
from rolloutd.filesystems import has_events
from rolloutd.hints import FLOOD_EVENTS, Hints, Mailbox, tidy
from rolloutd.meter import UNMETERED, Meter
from rolloutd.rollout.names import ROOTS
from rolloutd.rollout.session_index import FILE_NAME
from rolloutd.stamp import Stamp, stamp_of
from rolloutd.upkeep import Upkeep

_log = logging.getLogger(__name__)

Mode: TypeAlias = Literal["native", "poll"]
Wanted: TypeAlias = Literal["auto", "native", "poll"]

_LOOK_SECONDS = 2.0
_POLL_SECONDS = 2.0
_BACKOFF_SECONDS = (0.5, 30.0)
_NO_ROOM = ("limit reached", "os error 23", "os error 24", "os error 28")


class Watcher:
    """Posts hints for as long as it runs.

    Attributes:
        mode: how it comes by them now.
        problem: why there are no file events, where there should be.
        armed: set once the first watch is armed, or is known to be impossible.
        restarts: how often a watch had to be armed again.
        last_event: when the last event came, epoch seconds.
    """

    def __init__(
        self, home: Path, mailbox: Mailbox, wanted: Wanted, meter: Meter = UNMETERED
    ) -> None:
        self.mode: Mode = "poll"
        self.problem: str | None = None
        self.armed = anyio.Event()
        self.restarts = 0
        self.last_event: float | None = None
        self._home = home
        self._mailbox = mailbox
        self._meter = meter
        self._wanted = wanted
        self._backoff = _BACKOFF_SECONDS[0]
        self._said: str | None = None
        self._names: Stamp = stamp_of(home / FILE_NAME)

    def run(self) -> None:
        """Watch until the mailbox is told to stop; in a thread that the event loop has started."""
        try:
            while not self._mailbox.stopping:
                began = time.monotonic()
                try:
                    self._watch()
                except (OSError, WatchfilesRustInternalError) as failure:
                    self._recover(failure, time.monotonic() - began)
                self.restarts += 1
        finally:
            # Whoever waits for it is to go on, and see that all is to stop.
            anyio.from_thread.run_sync(self.armed.set)

    def _recover(self, failure: Exception, lasted: float) -> None:
        """Poll for a while; what is the matter is said once in an episode."""
        least, most = _BACKOFF_SECONDS
        if lasted > most:
            self._backoff, self._said = least, None
        self._meter.failed("watch")
        self.problem = _told(failure)
        if self.problem != self._said:
            self._said = self.problem
            _log.warning("%s; polling until there are file events again", self.problem)
        self._begin("poll")
        self._poll(self._roots(), self._backoff)
        self._backoff = min(2 * self._backoff, most)

    def _begin(self, mode: Mode) -> None:
        if self.mode == "native":
            # Between two watches, or from a watch to polling, nobody listens.
            self._meter.lost_events()
        self.mode = mode
        if self.armed.is_set():
            # What happened while nothing watched is found by looking.
            self._mailbox.ask_reconcile()
        else:
            anyio.from_thread.run_sync(self.armed.set)

    def _watch(self) -> None:
        """Watch what is there; returns when the roots are others, or to stop."""
        roots = self._roots()
        if not self._is_native(roots):
            self.problem = None
            self._begin("poll")
            self._poll(roots)
            return
        with closing(Watches(self._home)) as watches:
            if self.problem is not None:
                self.problem = None
                _log.debug("there are file events again")
            self._begin("native")
            self._follow(watches, roots)

    def _follow(self, watches: Watches, roots: dict[str, Stamp]) -> None:
        gone = {("deleted", f"{self._home}/{name}") for name in roots}
        upkeep = Upkeep(watches, self._home)
        looked = time.monotonic()
        while not self._mailbox.stopping:
            seconds = min(_LOOK_SECONDS, upkeep.seconds_left())
            events = watches.wait(seconds, lambda: self._mailbox.stopping)
            upkeep.heed(self._post(events), events)
            if upkeep.seconds_left() <= 0 and upkeep.is_needed():
                until_then = watches.renew()
                # What came into new directories before they were watched.
                self._mailbox.post(upkeep.renewed())
                upkeep.heed(self._post(until_then), until_then)
            # A root made anew may have the inode of the one that is gone.
            if events & gone:
                return
            if time.monotonic() - looked >= _LOOK_SECONDS:
                looked = time.monotonic()
                if self._look_at_names() or self._mailbox.was_in_doubt():
                    upkeep.suspect()
                if self._roots() != roots:
                    return

    def _post(self, events: set[FileEvent]) -> Hints:
        hints = tidy(os.fspath(self._home), events)
        if not events:
            return hints  # Nobody need wake up for that.
        self.last_event = time.time()
        if len(events) >= FLOOD_EVENTS:
            self._meter.lost_events()
        if hints.names:
            self._names = stamp_of(self._home / FILE_NAME)
        self._mailbox.post(hints)
        return hints

    def _poll(self, roots: dict[str, Stamp], seconds: float = inf) -> None:
        """Ask for a look at everything, over and over.

        Returns when the roots are others, after so many seconds, or to stop.
        """
        began = asked = time.monotonic()
        while self._roots() == roots and not self._mailbox.stopping:
            left = began + seconds - time.monotonic()
            if left <= 0:
                return
            self._mailbox.wait(min(_LOOK_SECONDS, left))
            self._look_at_names()
            if time.monotonic() - asked >= _POLL_SECONDS:
                asked = time.monotonic()
                self._mailbox.ask_reconcile()

    def _look_at_names(self) -> bool:
        """Return whether there is something to tell that no event has told."""
        stamp = stamp_of(self._home / FILE_NAME)
        if stamp == self._names:
            return False
        self._names = stamp
        self.last_event = time.time()
        self._mailbox.post(Hints(names=True))
        return True

    def _is_native(self, roots: dict[str, Stamp]) -> bool:
        paths = [self._home / name for name, stamp in roots.items() if stamp is not None]
        if not paths or self._wanted == "poll":
            return False
        return self._wanted == "native" or all(has_events(path) for path in paths)

    def _roots(self) -> dict[str, Stamp]:
        """Which roots are there; a root that was replaced is another one."""
        found = {name: stamp_of(self._home / name) for name in ROOTS}
        return {name: stamp and stamp[:2] for name, stamp in found.items()}


def _told(error: Exception) -> str:
    # The message may hold a path, which is not for the log.
    if any(text in str(error) for text in _NO_ROOM):
        return (
            "the system has no more file watches to give "
            "(fs.inotify.max_user_watches, fs.inotify.max_user_instances)"
        )
    return f"the file watch failed ({type(error).__name__})"
