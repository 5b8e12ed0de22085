"""Whether a rollout that is not found is gone, or only out of sight.

A disk that is away leaves the folder behind that it was mounted on, empty; an empty file system
hides what it is mounted over. Neither has deleted anything.
"""

import os
import stat
from pathlib import Path

from rolloutd.filesystems import mixes_devices
from rolloutd.records import FileStamp
from rolloutd.rollout.discovery import walk
from rolloutd.rollout.names import ROOTS


class Sight:
    """What can be seen of one home now; whoever looks again makes another one."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._devices: dict[str, int | None] = {}
        self._hide: dict[str, bool] = {}

    def covers(self, path: str, device: int | None) -> bool:
        """Whether a file that is not found at `path` is gone: its root is there, in full sight.

        `device` is the one that the file was on; None if that is not known.
        """
        root = path.split("/", 1)[0]
        # As far as can be seen: of what is closed to us, nothing is gone.
        return os.path.isdir(self._home / root) and not self.hides(path, device)  # noqa: PTH112

    def is_away(self, path: str, device: int | None) -> bool:
        """Whether nothing can be told of a watermark now: its root is not there, or hides it."""
        root = path.split("/", 1)[0]
        is_there = os.path.isdir(self._home / root)  # noqa: PTH112
        return root in ROOTS and (not is_there or self.hides(path, device))

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
