"""Somebody who looks at the daemon's database all the time, as other tools would."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]
Threads: TypeAlias = Mapping[str, Row]

_PAUSE_SECONDS = 0.002


class Witness:
    """Sees every state of `threads` that lasts a few milliseconds, and what is missing in it.

    Attributes:
        absences: threads that were seen and then were not, though nobody had deleted them.
        waits: for each thing that was expected of a running daemon, the seconds until it showed.
    """

    def __init__(self, database: Path, bound: float) -> None:
        self.absences: list[str] = []
        self.waits: list[float] = []
        self._database = database
        self._bound = bound
        self._changed = threading.Condition()
        self._threads: Threads = {}
        self._postponed: dict[str, dict[str, Any]] = {}
        self._let_go: set[str] = set()
        self._is_patient = False
        self._is_done = False

    @contextmanager
    def looking(self) -> Iterator["Witness"]:
        """Look for as long as the block lasts."""
        thread = threading.Thread(target=self._look, name="witness")
        thread.start()
        try:
            yield self
        finally:
            self._is_done = True
            thread.join()

    @contextmanager
    def patient(self) -> Iterator[None]:
        """What is expected in this block need not show before its end: the daemon may be down."""
        self._is_patient = True
        yield
        self._is_patient = False
        for thread_id, columns in self._postponed.items():
            self._wait(thread_id, columns)
        self._postponed.clear()

    def expect(self, thread_id: str, **columns: Any) -> None:
        """Wait until the row of a thread says this, and is of its file as it is on disk."""
        if self._is_patient:
            self._postponed.setdefault(thread_id, {}).update(columns)
        else:
            self.waits.append(self._wait(thread_id, columns))

    def let_go(self, thread_id: str) -> None:
        """From now on this thread may be absent."""
        self._let_go.add(thread_id)

    def expect_gone(self, thread_id: str) -> None:
        """Wait until there is no such thread."""
        self._wait_for(lambda: thread_id not in self._threads, lambda: f"{thread_id} is gone")

    def _wait(self, thread_id: str, wanted: Row) -> float:
        def describe() -> str:
            row = self._threads.get(thread_id)
            return f"{thread_id} has {wanted}; its row is {row and dict(row)}"

        return self._wait_for(lambda: _says(self._threads.get(thread_id), wanted), describe)

    def _wait_for(self, holds: Callable[[], bool], describe: Callable[[], str]) -> float:
        began = time.monotonic()
        with self._changed:
            shown = self._changed.wait_for(holds, self._bound)
        assert shown, f"after {self._bound} s still not: {describe()}"
        return time.monotonic() - began

    def _look(self) -> None:
        while not self._is_done and not self._database.exists():
            time.sleep(_PAUSE_SECONDS)
        uri = f"{self._database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, timeout=self._bound, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            seen = -1
            while not self._is_done:
                (version,) = connection.execute("PRAGMA data_version").fetchone()
                if version != seen and self._take(connection):
                    seen = version
                time.sleep(_PAUSE_SECONDS)

    def _take(self, connection: sqlite3.Connection) -> bool:
        try:
            found = {row["id"]: dict(row) for row in connection.execute("SELECT * FROM threads")}
        except sqlite3.OperationalError:
            # It is only being made; and later, a thread that cannot be seen will be missed.
            return False
        with self._changed:
            self.absences += sorted(self._threads.keys() - found.keys() - self._let_go)
            self._threads = found
            self._changed.notify_all()
        return True


def _says(row: Row | None, wanted: Row) -> bool:
    if row is None or any(row[column] != value for column, value in wanted.items()):
        return False
    try:
        mtime_ns = Path(row["rollout_path"]).stat().st_mtime_ns
    except FileNotFoundError:
        return False
    return bool(row["updated_at_ms"] == mtime_ns // 1_000_000)
