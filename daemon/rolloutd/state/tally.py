"""What the rows of `rollouts` say all together."""

from dataclasses import dataclass
from typing import Any

from rolloutd.records import PARSER_VERSION
from rolloutd.state.connections import Connection
from rolloutd.state.rollouts import DISTRUSTED

_TOTALS = """
    SELECT count(*) FILTER (WHERE error IS NULL), count(error),
           coalesce(sum(parse_errors), 0), coalesce(sum(size), 0), max(path)
    FROM rollouts
"""
_FAILURES = "SELECT path, error FROM rollouts WHERE error IS NOT NULL ORDER BY path LIMIT ?"
_CLOSED = "SELECT path FROM rollouts WHERE error IS NOT NULL AND thread_id IS NOT NULL"
_DISTRUSTED = "SELECT count(*) FROM rollouts WHERE parser_version = ?"
_OUTDATED = "SELECT count(*) FROM rollouts WHERE parser_version NOT IN (?, ?)"
_ALL = -1


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over all rows of `rollouts`."""

    indexed: int
    failed: int
    parse_errors: int
    bytes: int
    last_path: str | None

    @property
    def progress(self) -> dict[str, Any]:
        """The columns of `backfill_state` that tell of these, once all files are indexed."""
        files = self.indexed + self.failed
        return {
            "last_watermark": self.last_path,
            "total": files,
            "scanned": files,
            "upserted": self.indexed,
            "failed": self.failed,
        }


def totals(connection: Connection) -> Totals:
    """Sums over every row."""
    return Totals(*connection.execute(_TOTALS).fetchone())


def failures(connection: Connection, limit: int | None = None) -> list[tuple[str, str]]:
    """Path and error of the files that have no thread, or cannot be read, by their paths."""
    return connection.execute(_FAILURES, (_ALL if limit is None else limit,)).fetchall()


def closed_paths(connection: Connection) -> list[str]:
    """Files that held a thread and could not be read when they were last looked at."""
    return connection.column(_CLOSED)


def count_distrusted(connection: Connection) -> int:
    """How many rows are marked so."""
    return int(connection.value(_DISTRUSTED, (DISTRUSTED,)))


def count_outdated(connection: Connection) -> int:
    """How many rows another version's parser has written."""
    return int(connection.value(_OUTDATED, (PARSER_VERSION, DISTRUSTED)))
