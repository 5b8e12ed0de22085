"""Opening the database: permissions, pragmas, transactions, and what may be wrong with it."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool

from rolloutd.errors import DatabaseUnavailable
from rolloutd.state.migrate import migrate, revision_of
from rolloutd.state.schema import HEAD

BUSY_TIMEOUT_SECONDS = 30.0

_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_MAGIC = b"SQLite format 3\0"
_BEGIN = "rolloutd_begin"
_SIDECARS = ("", "-wal", "-shm")


class CorruptDatabase(DatabaseUnavailable):
    """The file is damaged, or no database at all; it can be moved aside and rebuilt."""


class DatabaseBusy(DatabaseUnavailable):
    """Another process is writing, for longer than we wait."""


class DatabaseReplaced(DatabaseUnavailable):
    """The path does not lead to the file that was opened any more."""


class StateDatabase:
    """An open database. Whoever opens it closes it, and passes it on until then.

    A writer holds one connection: one process has one writer. A reader never migrates and
    never changes the file.
    """

    def __init__(self, path: Path, engine: Engine, descriptor: int | None = None) -> None:
        self.path = path
        self._engine = engine
        self._file = identity_of(path)
        self._descriptor = descriptor

    def refuse_other_file(self) -> None:
        """See that the path still leads to the file that was opened; costs next to nothing.

        Raises:
            DatabaseReplaced: to none, or to another one.
            CorruptDatabase: somebody has written something else over it.
        """
        if self._file is None or identity_of(self.path) != self._file:
            raise DatabaseReplaced(f"{self.path}: was deleted or replaced")
        # SQLite itself may not notice for as long as it finds all it needs in its cache and WAL.
        if self._descriptor is not None and os.pread(self._descriptor, 16, 0) != _MAGIC:
            raise CorruptDatabase(f"{self.path}: was overwritten")

    def checkpoint(self) -> None:
        """Move what the WAL holds into the database, as far as readers allow."""
        with _explained(self.path):
            connection = self._engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

    @classmethod
    @contextmanager
    def open_writer(
        cls, path: Path, *, patience: float = BUSY_TIMEOUT_SECONDS
    ) -> Iterator["StateDatabase"]:
        """Open for writing; create or migrate where needed.

        `patience` is how long to wait for another process's transaction, in seconds.

        Raises:
            CorruptDatabase: see there; `set_aside` makes room for a new one.
            DatabaseUnavailable: it cannot be opened, is newer than us, or is not rolloutd's.
        """
        with _explained(path):
            _create_private(path)
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        engine = _engine(path, "mode=rw", patience)
        try:
            with _explained(path):
                migrate(engine, path)
                _use_wal(engine, patience)
                _make_private(path)
            yield cls(path, engine, descriptor)
        finally:
            engine.dispose()
            # Only now: closing any descriptor of a file gives up a process's locks on it.
            os.close(descriptor)

    @classmethod
    @contextmanager
    def open_reader(cls, path: Path) -> Iterator["StateDatabase"]:
        """Open read-only.

        Raises:
            DatabaseUnavailable: there is none, it is unreadable, or of another revision.
        """
        if not path.exists():
            raise DatabaseUnavailable(
                f"{path}: there is no database yet; `rolloutd backfill` makes it"
            )
        engine = _engine(path, "mode=ro" if _can_share(path) else "mode=ro&immutable=1")
        try:
            with _explained(path), engine.connect() as connection:
                revision = revision_of(connection, path)
            if revision != HEAD:
                raise DatabaseUnavailable(
                    f"{path}: revision {revision or 'none'}, this rolloutd reads {HEAD}"
                )
            yield cls(path, engine)
        finally:
            engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A write transaction, taken at once; committed at the end unless an error passes."""
        with _explained(self.path), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one consistent look at the database."""
        with _explained(self.path), self._engine.connect() as connection:
            yield connection.execution_options(**{_BEGIN: "BEGIN"})


def _can_share(path: Path) -> bool:
    # A reader of a WAL database needs its sidecars, or the right to make them. Where it has
    # neither, nobody writes, and the file can be read as it lies there.
    return os.access(path.parent, os.W_OK) or path.with_name(path.name + "-wal").exists()


def identity_of(path: Path) -> tuple[int, int] | None:
    """Device and inode of the file that is there now, if one can be seen."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


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


def _create_private(path: Path) -> None:
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


def _make_private(path: Path) -> None:
    for sidecar in _SIDECARS:
        file = path.with_name(path.name + sidecar)
        with suppress(FileNotFoundError):
            if file.stat().st_mode & 0o077:
                file.chmod(0o600)


def _use_wal(engine: Engine, patience: float) -> None:
    # Outside any transaction, and with patience: SQLite does not wait by itself for another
    # process that opens the same new file at the same time.
    deadline = time.monotonic() + patience
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        while True:
            try:
                cursor.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return
    finally:
        connection.close()


def _engine(path: Path, options: str, patience: float = BUSY_TIMEOUT_SECONDS) -> Engine:
    writes = options == "mode=rw"
    engine = create_engine(
        f"sqlite:///file:{quote(os.fspath(path.absolute()))}?{options}&uri=true",
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0 if writes else 4,
        connect_args={"timeout": patience, "check_same_thread": False},
    )

    def begin(connection: Connection) -> None:
        # A write is taken at once, so that it cannot fail for a lock halfway.
        immediate = "BEGIN IMMEDIATE" if writes else "BEGIN"
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, immediate))

    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver's own guesses at when to begin are turned off: `begin` below decides.
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        if writes:
            # Checkpoints sync the disk: fewer of them, for a WAL of up to 32 MiB.
            connection.execute("PRAGMA wal_autocheckpoint = 8192")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        raise _explain(path, error.orig) from error
    except (sqlite3.DatabaseError, OSError) as error:
        raise _explain(path, error) from error


def _explain(path: Path, error: BaseException | None) -> DatabaseUnavailable:
    if isinstance(error, OSError):
        return DatabaseUnavailable(f"{path}: {error.strerror}")
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    kind = DatabaseUnavailable
    if code in _CORRUPT:
        kind = CorruptDatabase
    elif code in _BUSY:
        kind = DatabaseBusy
    return kind(f"{path}: {error}")
