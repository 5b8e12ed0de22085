"""A reader for commands that answer a question: quick to import, and never in a writer's way."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rolloutd.errors import ConfigurationError
from rolloutd.state.faults import CorruptDatabase, can_share, explained, refuse_absence
from rolloutd.state.revision import recorded_revision, refuse_other_revision
from rolloutd.state.soundness import doubted, refuse_unsound

# In WAL mode a reader waits for nobody, but while the file is made, recovered or locked.
_PATIENCE_SECONDS = 3.0
# A walk that passes over many rows should not read their pages twice.
_CACHE_KIB = 64 * 1024


class StateReader:
    """A database to ask. Whoever opens it closes it; `path` is where it lies, for messages."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        connection.create_function("holds", 2, _holds, deterministic=True)

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, patience: float = _PATIENCE_SECONDS) -> Iterator["StateReader"]:
        """Open read-only; nothing is made, migrated or changed.

        `patience` is how long to wait for whoever makes, recovers or locks the file, in seconds.

        Raises:
            DatabaseAbsent: there is none, or nothing in it.
            DatabaseUnavailable: it is unreadable, or of another revision.
        """
        with explained(path):
            refuse_absence(path)
            location = f"file:{quote(os.fspath(path.absolute()))}?mode=ro"
            if not can_share(path):
                location += "&immutable=1"
            connection = sqlite3.connect(location, timeout=patience, isolation_level=None, uri=True)
        with closing(connection):
            reader = cls(path, connection)
            with explained(path):
                connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            refuse_other_revision(recorded_revision(reader.value, path), path)
            with doubted(reader.refuse_unsound):
                yield reader

    def refuse_unsound(self) -> None:
        """See `soundness.refuse_unsound`."""
        refuse_unsound(self.path, self._connection)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Every row of the answer.

        Raises:
            DatabaseUnavailable: it cannot be read (any more).
        """
        with explained(self.path):
            cursor = self._connection.cursor()
            cursor.row_factory = sqlite3.Row
            rows = cursor.execute(query, list(map(_valid, values))).fetchall()
        # No column holds such; whoever prints the rows does so when we are closed.
        if any(type(value) is bytes for row in rows for value in row):
            raise CorruptDatabase(self.path, "values of a wrong type")
        return rows

    def value(self, query: str, values: Sequence[Any] = ()) -> Any:
        """The first column of the first row; None if there is no row."""
        rows = self.rows(query, values)
        return rows[0][0] if rows else None

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """What is asked meanwhile is answered of one and the same state."""
        with explained(self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            with explained(self.path):
                self._connection.execute("COMMIT")

    def refuse_other_home(self, codex_home: Path) -> None:
        """See that this is not the index of another home.

        Raises:
            ConfigurationError: it is.
        """
        bound = self.value("SELECT codex_home FROM home")
        if bound is not None and os.path.realpath(bound) != os.path.realpath(codex_home):
            raise ConfigurationError(other_home(bound, str(codex_home)))


def _valid(value: Any) -> Any:
    """A value as it may stand in the database: text of bytes that are no UTF-8 never does."""
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    return value


def other_home(bound: str, codex_home: str) -> str:
    """What is said of the index of another home."""
    return (
        f"this database is the index of {bound}, not of {codex_home}: "
        "set another database (ROLLOUTD_DATABASE), or delete this one"
    )


def _holds(text: str | None, folded: str) -> bool:
    """Whether a text has another, case-folded, in it, whatever its case."""
    return text is not None and folded in text.casefold()
