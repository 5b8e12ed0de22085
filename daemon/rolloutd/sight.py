"""Whether a rollout that is not found is gone, or only out of sight.

A disk that is away leaves the folder behind that it was mounted on, empty; an empty file system
hides what it is mounted over. Neither has deleted anything.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from rolloutd.errors import HomeUnavailable
from rolloutd.filesystems import mixes_devices
from rolloutd.records import FileStamp
from rolloutd.rollout.discovery import Discovery, discover, walk
from rolloutd.rollout.names import ROOTS
from rolloutd.state.database import StateDatabase
from rolloutd.state.rollouts import any_below

HIDDEN = "is empty, on another file system than its rollouts were"


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


def is_hidden(connection: Connection, discovery: Discovery, root: str) -> bool:
    """Whether a root was found empty, and hides what there are rows of."""
    if root not in discovery.roots or discovery.finds_below(root):
        return False
    one = any_below(connection, root)
    return one is not None and Sight(discovery.home).hides(*one)


def discover_all(
    home: Path, looking: Callable[[], None], database: StateDatabase | None = None
) -> Discovery:
    """Every rollout of a home that is there; `looking` as for `discover`.

    Raises:
        HomeUnavailable: it is not, or has no `sessions/` that can be listed, or that hides what the
            database has rows of.
    """
    try:
        discovery = discover(home, looking)
    except OSError as error:
        raise HomeUnavailable(home, str(error.strerror)) from error
    if not discovery.roots and not home.is_dir():
        raise HomeUnavailable(home, "no such Codex home")
    if "sessions" not in discovery.roots:
        raise HomeUnavailable(home, "there is no sessions/ in it")
    if "sessions" in discovery.unlisted:
        raise HomeUnavailable(home, "sessions/ cannot be listed")
    if database is not None:
        with database.reading() as connection:
            if is_hidden(connection, discovery, "sessions"):
                what = "its rows are kept (`rolloutd backfill --rebuild` drops them)"
                raise HomeUnavailable(home, f"sessions/ {HIDDEN}; {what}")
    return discovery
