"""Whether a rollout that is not found is gone, or only out of sight.

A disk that is away leaves the folder behind that it was mounted on, empty; an empty file system
hides what it is mounted over. Neither has deleted anything.
"""

import os
import stat
from collections.abc import Container
from pathlib import Path

from rolloutd.filesystems import mixes_devices
from rolloutd.records import FileStamp
from rolloutd.rollout.discovery import Discovery, walk
from rolloutd.rollout.names import ROOTS, elsewhere
from rolloutd.rollout.whereabouts import forms_of, plain_of, visible

HIDDEN = "is empty, on another file system than its rollouts were"


class Sight:
    """What can be seen of one home now; whoever looks again makes another one."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._devices: dict[str, int | None] = {}
        self._hide: dict[str, bool] = {}

    def covers(self, path: str, device: int | None) -> bool:
        """Whether a file that is not found at `path` is gone: its root is there, in full sight.

        Or it is found where Codex would have moved it. `device` is the one that the file was on;
        None if that is not known.
        """
        return self.why_unseen(path, device) is None or self._has_moved(path)

    def is_gone(
        self,
        path: str,
        device: int | None,
        *,
        discovery: Discovery,
        there: Container[str],
        keeps_hidden: bool = True,
    ) -> bool:
        """The same after a look at everything, which has found the watermarks that are `there`.

        While it may have been moved to where nothing can be seen, it is not. What is hidden is,
        unless `keeps_hidden`.
        """
        places = elsewhere(plain_of(path))
        if any(form in there for place in places for form in forms_of(place)):
            return True
        if any(map(discovery.is_closed, places)):
            return False
        return discovery.covers(path) and not (keeps_hidden and self.hides(path, device))

    def why_unseen(self, path: str, device: int | None) -> str | None:
        """Why nothing can be told of a watermark now; None if it can."""
        root = path.split("/", 1)[0]
        # As far as can be seen: of what is closed to us, nothing is gone.
        if root in ROOTS and not os.path.isdir(self._home / root):  # noqa: PTH112
            return f"{self._home / root} is not there now"
        if self.hides(path, device):
            return f"{self._home / root} {HIDDEN}"
        return None

    def _has_moved(self, path: str) -> bool:
        try:
            places = elsewhere(plain_of(path))
            return any(True for place in places for _ in visible(self._home, place))
        except OSError:
            return False

    def hides(self, path: str, device: int | None) -> bool:
        """Whether the file's place is on another device now, and holds no rollout at all there.

        That of a whole root, or of a folder that something is mounted on: of any other, the file
        system may have got another number, and the rollouts have been deleted since.
        """
        if device is None or path.split("/", 1)[0] not in ROOTS:
            return False
        directory = path.rpartition("/")[0]
        while directory:
            there = self._device(directory)
            if there is not None:
                return there != device and self._can_hide(directory)
            directory = directory.rpartition("/")[0]
        return False

    def _device(self, directory: str) -> int | None:
        """Of a directory that a walk comes by; None if there is none."""
        if directory not in self._devices:
            try:
                # A root may be a symbolic link.
                status = (os.stat if directory in ROOTS else os.lstat)(self._home / directory)
            except OSError:
                status = None
            is_there = status is not None and stat.S_ISDIR(status.st_mode)
            self._devices[directory] = FileStamp.of(status).device if status and is_there else None
        return self._devices[directory]

    def _can_hide(self, directory: str) -> bool:
        if directory not in self._hide:
            parent = directory.rpartition("/")[0]
            self._hide[directory] = (
                (not parent or self._device(parent) != self._device(directory))
                and not any(walk(self._home, directory))
                and not mixes_devices(self._home / directory)
            )
        return self._hide[directory]
