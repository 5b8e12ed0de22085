"""Stamps: whether a path still leads to what it led to before."""

from pathlib import Path
from typing import NamedTuple, TypeAlias


class Status(NamedTuple):
    """Of stat(2), what tells that a file was written to, or is another one."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


Stamp: TypeAlias = Status | None
"""Equal for what has not changed in between; None for what is not there, or cannot be seen."""


def stamp_of(path: Path) -> Stamp:
    """The stamp of what is there now."""
    try:
        status = path.stat()
    except OSError:
        return None
    size, mtime_ns, ctime_ns = status.st_size, status.st_mtime_ns, status.st_ctime_ns
    return Status(status.st_dev, status.st_ino, size, mtime_ns, ctime_ns)
