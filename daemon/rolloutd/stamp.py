"""Stamps: whether a path still leads to what it led to before."""

from pathlib import Path
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, ...] | None
"""Equal for what has not changed in between; None for what is not there, or cannot be seen."""


def stamp_of(path: Path) -> Stamp:
    """The stamp of what is there now: device and inode first."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
