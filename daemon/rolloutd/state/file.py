"""The database's file: which one it is, who may read it, and how it is put aside when corrupt."""

import fcntl
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

MAGIC = b"SQLite format 3\0"
_SIDECARS = ("", "-wal", "-shm")

# See "Database File Format" in SQLite's documentation.
_WRITE_VERSION, _NEWEST_VERSION = 18, b"\2"


def identity_of(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file that is there now, if one can be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def sidecars_of(path: Path) -> dict[Path, tuple[int, int]]:
    """SQLite's files beside the database that are there, each with its identity."""
    beside = (path.with_name(path.name + sidecar) for sidecar in _SIDECARS if sidecar)
    return {file: identity for file in beside if (identity := identity_of(file)) is not None}


def drop_sidecars(sidecars: Mapping[Path, tuple[int, int]]) -> None:
    """Delete those of a database that lies there no more: SQLite takes them for the next one's."""
    for file, identity in sidecars.items():
        if identity_of(file) == identity:
            file.unlink(missing_ok=True)


def set_aside(path: Path, file: tuple[int, int] | None) -> Path | None:
    """Move a corrupt database and its sidecars out of the way; returns where it went.

    `file` is the identity of the corrupt one. Where another file lies by now, another process
    has done this already, and nothing is moved: None.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if file is None or identity_of(path) != file:
            return None
        target = _free_name(path)
        for sidecar in reversed(_SIDECARS):
            source = path.with_name(path.name + sidecar)
            with suppress(FileNotFoundError):
                source.rename(target.with_name(target.name + sidecar))
        return target
    finally:
        os.close(folder)


def _free_name(path: Path) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = path.with_name(f"{path.name}.corrupt-{stamp}")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    return target


def create_private(path: Path) -> None:
    """Make an empty file that only its owner can read, and its folder, unless they are there."""
    # A folder that is there already is its owner's choice.
    if not path.parent.is_dir():
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.parent.chmod(0o700)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    os.fchmod(descriptor, 0o600)
    os.close(descriptor)


def make_private(path: Path) -> None:
    """Take from others what rights they have to the database and its sidecars."""
    for sidecar in _SIDECARS:
        file = path.with_name(path.name + sidecar)
        with suppress(FileNotFoundError):
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


def is_of_unknown_version(path: Path) -> bool:
    """Whether the header asks for an SQLite that there is none of, and others not to write.

    Closing the file gives up this process's locks on it: for where it is to be closed anyway.
    """
    with suppress(OSError), path.open("rb") as file:
        header = file.read(_WRITE_VERSION + 1)
        return header.startswith(MAGIC) and header[_WRITE_VERSION:] > _NEWEST_VERSION
    return False


def begins_as_database(path: Path) -> bool:
    """Whether the file has the first bytes of an SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False
