"""Native file events, from one set of watches.

Each directory is watched by itself. Let loose on a tree, watchfiles 1.3.0 follows the symbolic
links in it, tells of a directory that has two names by one of them only, goes on telling the old
name of one that was moved, and says nothing when there is no watch to be had for a new one.
"""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeAlias

from watchfiles import Change
from watchfiles._rust_notify import RustNotify

from rolloutd.rollout.names import ROOTS
from rolloutd.rollout.session_index import FILE_NAME

# `added`, `modified` or `deleted`, and an absolute path.
FileEvent: TypeAlias = tuple[str, str]

# Device and inode.
_File: TypeAlias = tuple[int, int]

# Events of one burst are gathered: until there are none for a step, or for this long. The watcher
# wakes once a step even when there is nothing: a shorter one would cost more than it gains.
_GATHER_MS = 150
_STEP_MS = 75
_ATTEMPTS = 3
# FSEvents watches trees, and follows no links in them.
_WATCHES_TREES = sys.platform == "darwin"


class Watches:
    """Watches on all that is there; whoever makes them closes them.

    Attributes:
        cost: seconds that it took to find all of it and to watch it.

    Raises:
        OSError, WatchfilesRustInternalError: they cannot be had.
    """

    def __init__(self, home: Path) -> None:
        self.cost = 0.0
        self._home = home
        self._files: dict[str, _File] = {}
        self._notify = self._armed()

    def wait(self, seconds: float, stopping: Callable[[], bool]) -> set[FileEvent]:
        """What happens, gathered; empty after so many seconds without anything, or to stop.

        Raises:
            OSError, WatchfilesRustInternalError: the watches are dead.
        """
        most = max(1, round(seconds * 1000))
        return _events(self._notify.watch(_GATHER_MS, _STEP_MS, most, _Stop(stopping)))

    def are_outdated(self) -> bool:
        """Whether something is there that is not watched."""
        return any(self._files.get(path) != file for path, file in _watched(self._home))

    def renew(self) -> set[FileEvent]:
        """Watch what is there now; returns what has happened until then.

        Raises:
            OSError, WatchfilesRustInternalError: that cannot be had, and these are given back.
        """
        with closing(self._notify) as before:
            self._notify = self._armed()
            return _events(before.watch(1, 1, 1, None))

    def close(self) -> None:
        """Give them back."""
        self._notify.close()

    def _armed(self) -> RustNotify:
        began = time.monotonic()
        for _ in range(_ATTEMPTS - 1):
            with suppress(FileNotFoundError):  # Something has gone since it was listed.
                return self._arm(began)
        return self._arm(began)

    def _arm(self, began: float) -> RustNotify:
        files = dict(_watched(self._home))
        notify = RustNotify(
            list(files),
            debug=False,
            force_polling=False,
            poll_delay_ms=0,
            recursive=_WATCHES_TREES,
            # It would hide every failure, that there are no more watches too.
            ignore_permission_denied=False,
        )
        self._files = files
        self.cost = time.monotonic() - began
        return notify


class _Stop:
    """In the form of an event, which watchfiles looks at once a step."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self.is_set = stopping


def _events(told: set[tuple[int, str]] | str) -> set[FileEvent]:
    if isinstance(told, str):
        return set()  # It was the time that ended the wait, or a stop.
    return {(Change(number).raw_str(), path) for number, path in told}


def _watched(home: Path) -> Iterator[tuple[str, _File]]:
    """Directories in which there may be rollouts, and the session index; each as it is now."""
    for name in (FILE_NAME, *ROOTS):
        path = f"{home}/{name}"
        with suppress(OSError):
            status = Path(path).stat()
            if name == FILE_NAME:
                yield path, _file(status)
            elif stat.S_ISDIR(status.st_mode):
                yield from _directories(path, _file(status))


def _directories(root: str, file: _File) -> Iterator[tuple[str, _File]]:
    """A directory, and all below it that can be listed, by real names of valid text."""
    pending = [(root, file)]
    while pending:
        path, file = pending.pop()
        try:
            with os.scandir(path) as entries:
                # Not the inode of the entry: something may be mounted there.
                below = [
                    (each.path, _file(each.stat(follow_symlinks=False)))
                    for each in entries
                    if each.is_dir(follow_symlinks=False) and _is_text(each.name)
                ]
        except OSError:
            continue  # Gone, or closed to us: then a look at everything says so.
        yield path, file
        if not _WATCHES_TREES:
            pending += below


def _file(status: os.stat_result) -> _File:
    return status.st_dev, status.st_ino


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
