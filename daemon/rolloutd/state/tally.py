"""What the rows of `rollouts` say all together."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from rolloutd.records import PARSER_VERSION
from rolloutd.state.rollouts import DISTRUSTED
from rolloutd.state.schema import rollouts


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
    row = connection.execute(
        select(
            func.count().filter(rollouts.c.error.is_(None)),
            func.count(rollouts.c.error),
            func.coalesce(func.sum(rollouts.c.parse_errors), 0),
            func.coalesce(func.sum(rollouts.c.size), 0),
            func.max(rollouts.c.path),
        )
    ).one()
    return Totals(*row)


def failures(connection: Connection, limit: int | None = None) -> list[tuple[str, str]]:
    """Path and error of the files that have no thread, or cannot be read, by their paths."""
    rows = connection.execute(
        select(rollouts.c.path, rollouts.c.error)
        .where(rollouts.c.error.is_not(None))
        .order_by(rollouts.c.path)
        .limit(limit)
    ).all()
    return [(row.path, row.error) for row in rows]


def closed_paths(connection: Connection) -> list[str]:
    """Files that held a thread and could not be read when they were last looked at."""
    query = select(rollouts.c.path).where(
        rollouts.c.error.is_not(None), rollouts.c.thread_id.is_not(None)
    )
    return list(connection.execute(query).scalars())


def count_distrusted(connection: Connection) -> int:
    """How many rows are marked so."""
    marked = rollouts.c.parser_version == DISTRUSTED
    return int(connection.execute(select(func.count()).where(marked)).scalar_one())


def count_outdated(connection: Connection) -> int:
    """How many rows another version's parser has written."""
    others = rollouts.c.parser_version.not_in((PARSER_VERSION, DISTRUSTED))
    return int(connection.execute(select(func.count()).where(others)).scalar_one())
