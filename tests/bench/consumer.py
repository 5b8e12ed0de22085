"""Another program that reads the database while the daemon writes it, as the README says."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .measure import RunError

LOOK_SECONDS = 0.001
PATIENCE_SECONDS = 30.0


class Consumer:
    """A read-only connection that asks SQLite whether anything has changed, and then what."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._version = -1

    def has_changed(self) -> bool:
        """Whether another program has committed since this was asked last."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        changed = bool(version != self._version)
        self._version = version
        return changed

    def tokens(self) -> dict[str, int]:
        """Return what each thread has used."""
        return dict(self._connection.execute("SELECT id, tokens_used FROM threads"))

    def wait_for(self, thread_id: str, tokens: int) -> float:
        """Wait until the thread's row says so many tokens; return when, by `perf_counter`.

        Raises RunError if it does not within PATIENCE_SECONDS.
        """
        query = "SELECT tokens_used FROM threads WHERE id = ?"
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while time.perf_counter() < deadline:
            if self.has_changed():
                row = self._connection.execute(query, (thread_id,)).fetchone()
                if row == (tokens,):
                    return time.perf_counter()
            time.sleep(LOOK_SECONDS)
        raise RunError(f"an append was not in the database after {PATIENCE_SECONDS} s")


@contextmanager
def consumer(database: Path) -> Iterator[Consumer]:
    """Open a database that is there."""
    connection = sqlite3.connect(
        f"{database.as_uri()}?mode=ro", uri=True, timeout=5, isolation_level=None
    )
    try:
        yield Consumer(connection)
    finally:
        connection.close()
