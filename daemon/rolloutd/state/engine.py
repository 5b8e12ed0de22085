"""The engine: connections as SQLite should be used, and the two kinds of transaction."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from rolloutd.state.faults import is_busy

# How long a write waits for another process's, and for how long at a time SQLite waits by itself
# (signals are not handled meanwhile).
PATIENCE_SECONDS = 30.0
BUSY_TIMEOUT_SECONDS = 0.5

# Checkpoints sync the disk: fewer of them, for a WAL of up to 32 MiB.
_WAL_PAGES = 8192
# What a batch changes has to fit: else it is written, and read again, within its transaction.
_CACHE_KIB = 4000
# The threads of one process take turns; their transactions are short.
_PATIENT_SECONDS = 600
_DEFERRED = "rolloutd_deferred"


def open_engine(path: Path, *, writes: bool, immutable: bool = False) -> Engine:
    """An engine on a file that is there; a writer has one connection, so one writer at a time."""
    mode = "rw" if writes else "ro"
    location = f"file:{quote(os.fspath(path.absolute()))}?mode={mode}"
    if immutable:
        location += "&immutable=1"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            location, timeout=BUSY_TIMEOUT_SECONDS, check_same_thread=False, uri=True
        )

    engine = create_engine(
        "sqlite://",
        creator=connect,  # In a URL of SQLAlchemy's, the path would be unquoted once too often.
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0 if writes else 4,
        pool_timeout=_PATIENT_SECONDS,
    )

    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver's own guesses at when to begin are turned off: `begin` below decides.
        connection.isolation_level = None
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        if writes:
            connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")

    def begin(connection: Connection) -> None:
        deferred = not writes or connection.get_execution_options().get(_DEFERRED)
        connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for one consistent look, which waits for no writer."""
    with engine.connect() as connection:
        yield connection.execution_options(**{_DEFERRED: True})


@contextmanager
def writing(
    engine: Engine,
    patience: float = PATIENCE_SECONDS,
    waited: Callable[[], None] | None = None,
) -> Iterator[Connection]:
    """A write transaction, taken at once, so that it cannot fail for a lock halfway.

    Committed at the end unless an error passes. Another process's is waited for, `patience`
    seconds at most; `waited` is called each time that this was in vain.
    """
    deadline = time.monotonic() + patience
    while True:
        with engine.connect() as connection:
            try:
                connection.begin()
            except OperationalError as error:
                if not is_busy(error.orig):
                    raise
                if waited is not None:
                    waited()
                if time.monotonic() >= deadline:
                    raise
                continue
            yield connection
            connection.commit()
            return


def use_wal(engine: Engine, patience: float) -> None:
    """Turn the write-ahead log on.

    Outside any transaction, and with patience: SQLite does not wait by itself for another
    process that opens the same new file at the same time.
    """
    deadline = time.monotonic() + patience
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        while True:
            try:
                cursor.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(0.01)
            else:
                # SQLite makes the log's files when it looks for the first time.
                cursor.execute("SELECT 1 FROM sqlite_master").fetchone()
                return
    finally:
        connection.close()
