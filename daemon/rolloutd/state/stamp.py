"""Whether a database was written to, as far as its files tell: for a few calls of the system.

Somebody may have set the times of the files, so this is for who looks otherwise now and then, too.
"""

import time
from pathlib import Path
from typing import TypeAlias

from rolloutd.stamp import Stamp, stamp_of

Stamps: TypeAlias = tuple[Stamp, ...]

# The clock that file systems take their times from ticks a hundred times a second, or more often.
_TICK_NS = 50_000_000
# A commit is in the log, and its time, before it is synced to the disk and holds. And there are
# file systems whose clock ticks once a second.
_COMMIT_NS = 8_000_000_000


def files_of(path: Path) -> tuple[Path, Path]:
    """The files that hold a database: itself, and its write-ahead log."""
    return path, path.with_name(f"{path.name}-wal")


def stamps_of(*files: Path) -> Stamps:
    """Of a database's files, others than before if anything was committed in between."""
    return tuple(map(stamp_of, files))


def is_settled(stamps: Stamps, now_ns: int, age_ns: int = _TICK_NS) -> bool:
    """Whether a later commit is sure to change the stamps, which were taken `now_ns` or later.

    Two changes within one tick of the file system's clock may leave the same stamp.
    """
    return all(stamp is None or stamp.mtime_ns < now_ns - age_ns for stamp in stamps)


class Untouched:
    """Asked whether nobody has written to files since it was asked last.

    It says no at first, and for some seconds after they were written to.
    """

    def __init__(self, *files: Path) -> None:
        self._files = files
        self._stamps: Stamps | None = None

    def __call__(self) -> bool:
        """Whether nobody has."""
        now, stamps, before = time.time_ns(), stamps_of(*self._files), self._stamps
        self._stamps = stamps if is_settled(stamps, now, _COMMIT_NS) else None
        return stamps == before
