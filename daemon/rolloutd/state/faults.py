"""What may be wrong with the database, in words for the user."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rolloutd.errors import DatabaseUnavailable
from rolloutd.state.file import begins_as_database, is_of_unknown_version

_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# What is asked for is in every database of a revision that we work with, and SQLite has had one
# file format since 2005.
_DAMAGED = (
    *("no such table:", "no such column:", "has no column named"),
    "unsupported file format",
)
_SUFFIXES = frozenset({".sqlite", ".sqlite3", ".db"})


class DatabaseAbsent(DatabaseUnavailable):
    """There is none, or nothing in it: it was never made, or was deleted."""


class DatabaseBusy(DatabaseUnavailable):
    """Another process holds the write lock."""


class CorruptDatabase(DatabaseUnavailable):
    """The file is damaged, or no database at all; it can be moved aside and rebuilt."""


class ConstraintBroken(DatabaseUnavailable):
    """A row was refused that the database should have taken."""


class DatabaseReplaced(DatabaseUnavailable):
    """The path does not lead to the file that was opened any more."""


def refuse_irregular(path: Path) -> None:
    """See that what is there, if anything, is a file: another thing may never answer.

    Raises:
        DatabaseUnavailable: it is not.
    """
    if path.exists() and not path.is_file():
        raise DatabaseUnavailable(path, "not a file")


def refuse_absence(path: Path) -> None:
    """See that there is a file.

    Raises:
        DatabaseAbsent: there is none.
        DatabaseUnavailable: there is something else.
    """
    refuse_irregular(path)
    if not path.exists():
        raise DatabaseAbsent(path, "there is no database yet; `rolloutd backfill` makes it")


def can_share(path: Path) -> bool:
    """Whether a reader can read beside a writer.

    A reader of a WAL database needs its sidecars, or the right to make them. Where it has
    neither, nobody writes, and the file can be read as it lies there.
    """
    return os.access(path.parent, os.W_OK) or path.with_name(path.name + "-wal").exists()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the driver and the system say of the file into errors for the user."""
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        raise explanation(path, error) from error
    except UnicodeDecodeError as error:
        # The driver could not even say which table it is that the schema's damage has renamed.
        if b"malformed" not in error.object:
            raise
        raise CorruptDatabase(path, "malformed database schema") from error


def explanation(path: Path, error: BaseException | None) -> DatabaseUnavailable:
    """What an error of SQLite's, or of the system's, says to the user of the file at `path`."""
    if isinstance(error, OSError):
        return DatabaseUnavailable(path, str(error.strerror))
    if is_busy(error):
        return DatabaseBusy(path, "another process is writing, and does not end")
    if _is_undecodable(error):
        # Without the driver's own words: they quote the text, which may be a prompt's.
        return CorruptDatabase(path, "holds text that is no UTF-8")
    code = error_code(error)
    if code == sqlite3.SQLITE_READONLY and is_of_unknown_version(path):
        return _corrupt(path, "unsupported file format")
    if code not in _CORRUPT and not any(words in str(error) for words in _DAMAGED):
        kind = ConstraintBroken if code == sqlite3.SQLITE_CONSTRAINT else DatabaseUnavailable
        why = str(error)
        if code == sqlite3.SQLITE_CANTOPEN and _has_a_log_alone(path):
            why = (
                "it has a log (-wal) that only who may write in its folder can read; "
                "let somebody open it who may, and close it again"
            )
        return kind(path, why)
    return _corrupt(path, str(error))


def _corrupt(path: Path, why: str) -> DatabaseUnavailable:
    if path.suffix in _SUFFIXES or begins_as_database(path):
        return CorruptDatabase(path, why)
    return DatabaseUnavailable(path, f"{why}, nor is it named like one: left alone")


def _has_a_log_alone(path: Path) -> bool:
    wal, shm = (path.with_name(path.name + sidecar) for sidecar in ("-wal", "-shm"))
    return wal.exists() and not shm.exists() and not os.access(path.parent, os.W_OK)


def is_busy(error: BaseException | None) -> bool:
    """Whether another process holds a lock that was needed."""
    return error_code(error) == sqlite3.SQLITE_BUSY


def error_code(error: BaseException | None) -> int:
    """SQLite's primary result code of an error; 0 if it is none of SQLite's."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def _is_undecodable(error: BaseException | None) -> bool:
    # SQLite takes any bytes for text, and nobody but damage writes such; the driver's error for
    # them has no code.
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith(
        "Could not decode to UTF-8"
    )
