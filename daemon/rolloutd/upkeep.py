"""When to renew the watches, so that what is new is watched too."""

import stat
import time
from collections.abc import Iterable
from pathlib import Path

from rolloutd.events.watches import FileEvent, Watches
from rolloutd.hints import Hints
from rolloutd.rollout.session_index import FILE_NAME

# How often to see whether directories are there that no event told of, without being asked to. It
# takes as long as a reconcile, which finds whatever happens in such a directory, and asks then.
_CHECK_SECONDS = 900.0
# Renewing the watches takes one part in so many of the time, at most.
_SHARE = 10


class Upkeep:
    """Of one set of watches: what has come since they were armed, and whether that is watched."""

    def __init__(self, watches: Watches, home: Path) -> None:
        self._watches = watches
        self._home = home
        self._index = f"{home}/{FILE_NAME}"
        self._renewed = time.monotonic()
        # What was made while they were armed is not watched.
        self._due = self._renewed
        self._fresh = Hints()

    def heed(self, hints: Hints, events: Iterable[FileEvent]) -> None:
        """Take note of new directories, and of signs of others."""
        new = (path for path in hints.directories if _is_directory(self._home / path))
        self._fresh.directories |= dict.fromkeys(new)
        self._fresh.names |= any(
            event.kind != "modified" and event.path == self._index for event in events
        )
        if self._fresh or hints.everything:
            self._due = min(self._due, self._renewed + _SHARE * self._watches.cost)

    def suspect(self) -> None:
        """Take note that something has changed of which no event told: see what is not watched."""
        self._due = min(self._due, self._renewed + _SHARE * self._watches.cost)

    def seconds_left(self) -> float:
        """How long not to think of it."""
        return max(0.0, self._due - time.monotonic())

    def is_needed(self) -> bool:
        """Whether there is a reason to renew; if not, the next look is put off."""
        if self._fresh or self._watches.are_outdated():
            return True
        self._due = time.monotonic() + _CHECK_SECONDS
        return False

    def renewed(self) -> Hints:
        """It is done: what is to be looked at now."""
        fresh, self._fresh = self._fresh, Hints()
        self._renewed = time.monotonic()
        # There may be new ones in the new ones.
        self._due = self._renewed + _SHARE * self._watches.cost
        return fresh


def _is_directory(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False
