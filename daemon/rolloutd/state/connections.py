"""Connections as SQLite should be used, and the two kinds of transaction."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote
from weakref import WeakSet

from rolloutd.state.faults import is_busy

# How long a write waits for another process's, and for how long at a time SQLite waits by itself
# (signals are not handled meanwhile).
PATIENCE_SECONDS = 30.0
BUSY_TIMEOUT_SECONDS = 0.5
_STEP_SECONDS = 0.01

# Checkpoints sync the disk: fewer of them, for a WAL of up to 32 MiB.
_WAL_PAGES = 8192
# What a batch changes has to fit: else it is written, and read again, within its transaction.
_CACHE_KIB = 4000
# The threads of one process take turns; their transactions are short.
_PATIENT_SECONDS = 600

Values: TypeAlias = Sequence[Any] | dict[str, Any]


class Connection(sqlite3.Connection):
    """The driver's own connection, with a word for each kind of question.

    It knows whose answers are not read to their end: each keeps its look at the database open,
    and the files even where the connection is closed, for as long as anything remembers it - the
    traceback of an error, say.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._answers: WeakSet[sqlite3.Cursor] = WeakSet()

    def execute(self, query: str, values: Any = (), /) -> sqlite3.Cursor:
        """Ask, or tell, once."""
        answer = self.cursor()
        self._answers.add(answer)
        return answer.execute(query, values)

    def rollback(self) -> None:
        """Undo what was begun, and let go of every answer."""
        self._let_go()
        super().rollback()

    def close(self) -> None:
        """Close it, and the files."""
        self._let_go()
        super().close()

    def _let_go(self) -> None:
        for answer in list(self._answers):
            answer.close()

    def value(self, query: str, values: Values = ()) -> Any:
        """The first column of the first row; None if there is no row."""
        row = self.execute(query, values).fetchone()
        return None if row is None else row[0]

    def column(self, query: str, values: Values = ()) -> list[Any]:
        """The first column of every row."""
        return [row[0] for row in self.execute(query, values)]

    def records(self, query: str, values: Values = ()) -> list[dict[str, Any]]:
        """Every row, its values by the names of their columns."""
        found = self.execute(query, values)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found]


class Connections:
    """The connections to a file that is there. A writer has one: one of its threads at a time."""

    def __init__(self, path: Path, *, writes: bool, immutable: bool = False) -> None:
        self.writes = writes
        self._location = f"file:{quote(os.fspath(path.absolute()))}?mode={'rw' if writes else 'ro'}"
        if immutable:
            self._location += "&immutable=1"
        self._free: list[Connection] = []
        self._turn = threading.Lock()

    @contextmanager
    def lent(self) -> Iterator[Connection]:
        """A connection; what it has begun and not committed is undone at the end."""
        with self._in_turn():
            try:
                connection = self._free.pop()
            except IndexError:
                connection = self.opened()
            try:
                yield connection
            finally:
                try:
                    connection.rollback()
                finally:
                    # Kept whatever happens: closing the only one would take the log with it.
                    self._free.append(connection)

    def opened(self) -> Connection:
        """A new connection, which is the caller's to close."""
        connection = sqlite3.connect(
            self._location,
            timeout=BUSY_TIMEOUT_SECONDS,
            # The driver's own guesses at when to begin are turned off.
            isolation_level=None,
            check_same_thread=False,
            factory=Connection,
            uri=True,
        )
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            if self.writes:
                connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
                connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        except BaseException:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close those that are not in use."""
        while self._free:
            self._free.pop().close()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self.writes:
            yield
            return
        if not self._turn.acquire(timeout=_PATIENT_SECONDS):
            raise RuntimeError("the connection was not given back")
        try:
            yield
        finally:
            self._turn.release()


@contextmanager
def reading(connections: Connections) -> Iterator[Connection]:
    """A connection for one consistent look, which waits for no writer."""
    with connections.lent() as connection:
        connection.execute("BEGIN")
        yield connection


@contextmanager
def writing(
    connections: Connections,
    patience: float = PATIENCE_SECONDS,
    waited: Callable[[], None] | None = None,
) -> Iterator[Connection]:
    """A write transaction, taken at once, so that it cannot fail for a lock halfway.

    Committed at the end unless an error passes. Another process's is waited for, `patience`
    seconds at most; `waited` is called each time that this was in vain.
    """
    deadline = time.monotonic() + patience
    while True:
        with connections.lent() as connection:
            if begins_to_write(connection, deadline, waited):
                yield connection
                connection.commit()
                return
        time.sleep(_STEP_SECONDS)  # It may be another thread's turn.


def begins_to_write(
    connection: Connection, deadline: float, waited: Callable[[], None] | None = None
) -> bool:
    """Begin such a transaction; whether that was granted now. After `deadline` it raises."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if not is_busy(error):
            raise
        if waited is not None:
            waited()
        if time.monotonic() >= deadline:
            raise
        return False
    return True


def use_wal(connections: Connections, patience: float) -> None:
    """Turn the write-ahead log on.

    Outside any transaction, and with patience: SQLite does not wait by itself for another
    process that opens the same new file at the same time.
    """
    deadline = time.monotonic() + patience
    with connections.lent() as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(_STEP_SECONDS)
            else:
                # SQLite makes the log's files when it looks for the first time.
                connection.value("SELECT 1 FROM sqlite_master")
                return
