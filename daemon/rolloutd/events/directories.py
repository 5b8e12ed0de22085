"""Watches of inotify's: one on each directory, so none that a symbolic link leads to.

A name that is not text tells that its directory has changed: what lies there is a reconcile's to
judge.
"""

import errno
import os
import stat
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

from rolloutd.events import inotify
from rolloutd.events.inotify import Inotify, Told
from rolloutd.events.watches import FileEvent, Kind
from rolloutd.rollout.names import ROOTS, is_rollout_name
from rolloutd.rollout.session_index import FILE_NAME

# Device and inode.
_File: TypeAlias = tuple[int, int]

# What follows an event closely belongs to it. Bursts are this far apart, so that whoever writes
# all the time costs no more than so many looks a second, and is read from the kernel meanwhile,
# which keeps 16,384 events.
_SETTLE_SECONDS = 0.01
_APART_SECONDS = 0.15
_STEP_SECONDS = 0.05

_GONE = inotify.DELETE | inotify.MOVED_FROM
_COME = inotify.CREATE | inotify.MOVED_TO
_ENDED = inotify.DELETE_SELF | inotify.MOVE_SELF
# What is written through a mapping is told of when the file is closed, if at all.
_CHANGED = inotify.MODIFY | inotify.ATTRIB | inotify.CLOSE_WRITE
# Of the home itself, what comes and goes there, or is closed to us and opened; not what is written.
_HOME = _GONE | _COME | _ENDED | inotify.ATTRIB | inotify.ONLYDIR
_ROOT = _HOME | _CHANGED
_BELOW = _ROOT | inotify.DONT_FOLLOW
_INDEX = _ENDED | _CHANGED
# It is gone since it was listed, is something else by now, or is closed to us.
_NOT_TO_BE_WATCHED = frozenset((errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES))


class _Place(NamedTuple):
    path: str
    file: _File
    mask: int


class DirectoryWatches:
    """See `Watches`."""

    def __init__(self, home: Path) -> None:
        self.cost = 0.0
        self._home = os.fspath(home)
        # A directory that is mounted twice has one watch.
        self._paths: dict[int, list[str]] = {}
        self._files: dict[str, _File] = {}
        self._refused: set[_Place] = set()
        self._told = time.monotonic() - _APART_SECONDS
        self._inotify = Inotify()
        try:
            self.renew()
        except BaseException:
            self.close()
            raise

    def wait(self, seconds: float) -> list[FileEvent]:
        """See `Watches`."""
        if not self._inotify.wait(seconds):
            return []
        told: dict[Told, None] = {}
        until = max(self._told + _APART_SECONDS, time.monotonic() + _SETTLE_SECONDS)
        while (left := until - time.monotonic()) > 0:
            if self._inotify.pause(min(left, _STEP_SECONDS)):
                break
            told |= dict.fromkeys(self._inotify.read())
        self._told = time.monotonic()
        return list(dict.fromkeys(self._events(told)))

    def stop(self) -> None:
        """See `Watches`."""
        self._inotify.stop()

    def are_outdated(self) -> bool:
        """See `Watches`."""
        return any(
            self._files.get(place.path) != place.file and os.access(place.path, os.R_OK)
            for place in self._places()
            if place not in self._refused
        )

    def renew(self) -> list[FileEvent]:
        """See `Watches`."""
        began = time.monotonic()
        paths: defaultdict[int, list[str]] = defaultdict(list)
        files: dict[str, _File] = {}
        self._refused.clear()
        for place in self._places():
            try:
                # Of one that is there already, this returns the number.
                watch = self._inotify.add(place.path, place.mask)
            except OSError as error:
                if error.errno not in _NOT_TO_BE_WATCHED:
                    raise
                # What may be read need not be allowed to be watched.
                if error.errno == errno.EACCES and os.access(place.path, os.R_OK):
                    self._refused.add(place)
            else:
                paths[watch].append(place.path)
                files[place.path] = place.file
        for watch in self._paths.keys() - paths.keys():
            self._inotify.remove(watch)
        new = [path for path, file in files.items() if self._files.get(path) != file]
        self._paths, self._files = dict(paths), files
        self.cost = time.monotonic() - began
        return [FileEvent("added", path) for path in new]

    def close(self) -> None:
        """See `Watches`."""
        self._inotify.close()

    def _events(self, told: Iterable[Told]) -> Iterator[FileEvent]:
        for watch, mask, name in told:
            if mask & inotify.Q_OVERFLOW:
                yield FileEvent("lost", self._home)
            elif mask & inotify.IGNORED:
                for path in self._paths.pop(watch, ()):
                    self._files.pop(path, None)
            else:
                for path in self._paths.get(watch, ()):
                    yield from self._event(path, mask, name)

    def _event(self, path: str, mask: int, name: str) -> Iterator[FileEvent]:
        if not name:
            ended = mask & (_ENDED | inotify.UNMOUNT)
            yield FileEvent("deleted" if ended else "modified", path)
        elif path == self._home:
            if name in ROOTS or name == FILE_NAME:
                yield FileEvent(_kind(mask), f"{path}/{name}")
        elif not _is_text(name):
            yield FileEvent("modified", path)
        elif mask & inotify.ISDIR or is_rollout_name(name):
            yield FileEvent(_kind(mask), f"{path}/{name}")

    def _places(self) -> Iterator[_Place]:
        """All that is to be watched, as it is now.

        A directory is listed after it was given out: what comes into one that is watched by then
        is told by an event, or is listed.
        """
        for path, mask in (
            (self._home, _HOME),
            (f"{self._home}/{FILE_NAME}", _INDEX),
            *((f"{self._home}/{root}", _ROOT) for root in ROOTS),
        ):
            with suppress(OSError):
                status = os.stat(path)  # noqa: PTH116
                is_directory = stat.S_ISDIR(status.st_mode)
                if mask == _INDEX or is_directory:
                    yield _Place(path, _file(status), mask)
                if mask == _ROOT and is_directory:
                    yield from _below(path)


def _below(root: str) -> Iterator[_Place]:
    """Directories below one, as far as they can be listed, by real names of valid text."""
    pending = [root]
    while pending:
        # Gone, or closed to us: a look at everything says so.
        with suppress(OSError), os.scandir(pending.pop()) as entries:
            for each in entries:
                # Of one that cannot be looked at, the others are to be watched all the same.
                with suppress(OSError):
                    if each.is_dir(follow_symlinks=False) and _is_text(each.name):
                        # Not the inode of the entry: something may be mounted there.
                        status = each.stat(follow_symlinks=False)
                        pending.append(each.path)
                        yield _Place(each.path, _file(status), _BELOW)


def _kind(mask: int) -> Kind:
    if mask & _GONE:
        return "deleted"
    return "added" if mask & _COME else "modified"


def _file(status: os.stat_result) -> _File:
    return status.st_dev, status.st_ino


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
