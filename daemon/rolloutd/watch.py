"""The watcher: native file events where they can be had, and honesty where they cannot.

Events only say where to look. What they do not tell is made up for elsewhere: a directory event
scans that directory, a reconcile looks at everything every now and then. Here it is made sure
that all that is there is watched, and that it is known where this cannot be.
"""

import errno
import logging
import os
import time
from collections.abc import Sequence
from contextlib import closing
from math import inf
from pathlib import Path
from typing import Literal, TypeAlias

import anyio
import anyio.from_thread

from rolloutd.events.arming import armed
from rolloutd.events.watches import FileEvent, Watches
from rolloutd.filesystems import has_events
from rolloutd.hints import Hints, Mailbox, tidy
from rolloutd.meter import UNMETERED, Meter
from rolloutd.rollout.names import ROOTS
from rolloutd.rollout.session_index import FILE_NAME
from rolloutd.stamp import Stamp, stamp_of
from rolloutd.upkeep import Upkeep

_log = logging.getLogger(__name__)

Mode: TypeAlias = Literal["native", "poll"]
Wanted: TypeAlias = Literal["auto", "native", "poll"]
# Of each root that is there its device and inode, and whether it is open to us.
_Roots: TypeAlias = dict[str, tuple[int, int, bool] | None]

_POLL_SECONDS = 2.0
# What no event tells, as that something was mounted over a root, is looked for this often.
_LOOK_SECONDS = 5.0
_BACKOFF_SECONDS = (0.5, 30.0)
_NO_ROOM = (errno.ENFILE, errno.EMFILE, errno.ENOSPC)


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
        # What is looked at over and over.
        self._roots = {name: home / name for name in ROOTS}
        self._index = home / FILE_NAME
        self._names: Stamp = stamp_of(self._index)

    def run(self) -> None:
        """Watch until the mailbox is told to stop; in a thread that the event loop has started."""
        try:
            while not self._mailbox.stopping:
                began = time.monotonic()
                try:
                    self._watch()
                except OSError as failure:
                    self._recover(failure, time.monotonic() - began)
                self.restarts += 1
        finally:
            # Whoever waits for it is to go on, and see that all is to stop.
            anyio.from_thread.run_sync(self.armed.set)

    def _recover(self, failure: OSError, lasted: float) -> None:
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
        self._poll(self._there(), self._backoff)
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
        roots = self._there()
        if not self._is_native(roots):
            self.problem = None
            self._begin("poll")
            self._poll(roots)
            return
        with closing(armed(self._home)) as watches, self._mailbox.waking(watches.stop):
            if self.problem is not None:
                self.problem = None
                _log.debug("there are file events again")
            self._begin("native")
            self._follow(watches, roots)

    def _follow(self, watches: Watches, roots: _Roots) -> None:
        ends = {os.fspath(path) for path in (self._home, *self._roots.values())}
        upkeep = Upkeep(watches, self._home)
        looked = time.monotonic()
        while not self._mailbox.stopping:
            events = watches.wait(min(_LOOK_SECONDS, upkeep.seconds_left()))
            if events:
                upkeep.heed(self._post(events), events)
            if upkeep.seconds_left() <= 0 and upkeep.is_needed():
                # What came into new directories before they were watched.
                self._mailbox.post(tidy(os.fspath(self._home), watches.renew()))
                self._mailbox.post(upkeep.renewed())
            # A root made anew may have the inode of the one that is gone; and where events were
            # lost, any directory.
            if any(event.kind != "modified" and event.path in ends for event in events):
                return
            if time.monotonic() - looked >= _LOOK_SECONDS:
                looked = time.monotonic()
                if self._look_at_names() or self._mailbox.was_in_doubt():
                    upkeep.suspect()
                if self._there() != roots:
                    return

    def _post(self, events: Sequence[FileEvent]) -> Hints:
        hints = tidy(os.fspath(self._home), events)
        self.last_event = time.time()
        if hints.names:
            self._names = stamp_of(self._index)
        self._mailbox.post(hints)
        return hints

    def _poll(self, roots: _Roots, seconds: float = inf) -> None:
        """Ask for a look at everything, over and over.

        Returns when the roots are others, after so many seconds, or to stop.
        """
        began = asked = time.monotonic()
        while self._there() == roots and not self._mailbox.stopping:
            left = began + seconds - time.monotonic()
            if left <= 0:
                return
            self._mailbox.wait(min(_POLL_SECONDS, left))
            self._look_at_names()
            if time.monotonic() - asked >= _POLL_SECONDS:
                asked = time.monotonic()
                self._mailbox.ask_reconcile()

    def _look_at_names(self) -> bool:
        """Return whether there is something to tell that no event has told."""
        stamp = stamp_of(self._index)
        if stamp == self._names:
            return False
        self._names = stamp
        self.last_event = time.time()
        self._mailbox.post(Hints(names=True))
        return True

    def _is_native(self, roots: _Roots) -> bool:
        paths = [self._roots[name] for name, stamp in roots.items() if stamp is not None]
        if not paths or self._wanted == "poll":
            return False
        return self._wanted == "native" or all(has_events(path) for path in paths)

    def _there(self) -> _Roots:
        """Which roots are there; one that was replaced, closed to us or opened, is another one."""
        found = {name: stamp_of(path) for name, path in self._roots.items()}
        return {
            name: stamp and (stamp.device, stamp.inode, os.access(self._roots[name], os.R_OK))
            for name, stamp in found.items()
        }


def _told(error: OSError) -> str:
    # The message may hold a path, which is not for the log.
    if error.errno in _NO_ROOM:
        return (
            "the system has no more file watches to give "
            "(fs.inotify.max_user_watches, fs.inotify.max_user_instances)"
        )
    return f"the file watch failed ({type(error).__name__})"
