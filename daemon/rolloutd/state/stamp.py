"""Whether a database was written to, as far as its files tell: for a few calls of the system.

Somebody may have set the times of the files, so this is for who looks otherwise now and then, too.
"""

import os
import time
from pathlib import Path
from typing import TypeAlias

# Of each file its device, inode, size and time of the last change; None if there is none.
Stamp: TypeAlias = tuple[tuple[int, int, int, int] | None, ...]

# The clock that file systems take their times from ticks a hundred times a second, or more often.
_TICK_NS = 50_000_000
# A commit is in the log, and its time, before it is synced to the disk and holds. And there are
# file systems whose clock ticks once a second.
_COMMIT_NS = 8_000_000_000


def files_of(path: Path) -> tuple[str, str]:
    """The files that hold a database: itself, and its write-ahead log."""
    name = os.fspath(path)
    return name, f"{name}-wal"


def stamp_of(*files: str) -> Stamp:
    """Of a database's files, another one than before if anything was committed in between."""
    return tuple(map(_file_stamp, files))


def is_settled(stamp: Stamp, now_ns: int, age_ns: int = _TICK_NS) -> bool:
    """Whether a later commit is sure to change the stamp, which was taken `now_ns` or later.

    Two changes within one tick of the file system's clock may leave the same stamp.
    """
    return all(file is None or file[3] < now_ns - age_ns for file in stamp)


class Untouched:
    """Asked whether nobody has written to files since it was asked last.

    It says no at first, and for some seconds after they were written to.
    """

    def __init__(self, *files: str) -> None:
        self._files = files
        self._stamp: Stamp | None = None

    def __call__(self) -> bool:
        """Whether nobody has."""
        now, stamp, before = time.time_ns(), stamp_of(*self._files), self._stamp
        self._stamp = stamp if is_settled(stamp, now, _COMMIT_NS) else None
        return stamp == before


def _file_stamp(name: str) -> tuple[int, int, int, int] | None:
    try:
        status = os.stat(name)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
