"""Rows of `threads` for tests, written past the indexer."""

import sqlite3
import uuid
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from rolloutd.sources import class_of

_COLUMNS = {
    "rollout_path": "",
    "created_at": 0,
    "updated_at": 0,
    "recency_at": 0,
    "source": "cli",
    "model_provider": "openai",
    "cwd": "/work",
    "title": "",
    "name": None,
    "preview": "hello",
    "first_user_message": "",
    "sandbox_policy": '{"type":"read-only"}',
    "approval_mode": "never",
    "tokens_used": 0,
    "archived": 0,
    "model": "gpt-5",
    "git_branch": None,
}


def thread(number: int, *, at_ms: int = 0, **columns: Any) -> dict[str, Any]:
    """A row; `at_ms` stands in every column of its kind, unless one is given."""
    times = dict.fromkeys(("created_at_ms", "updated_at_ms", "recency_at_ms"), at_ms)
    row = {"id": str(uuid.UUID(int=number << 100)), **_COLUMNS, **times, **columns}
    return {**row, "source_class": class_of(row["source"])}


def insert_threads(
    database: Path, threads: Iterable[dict[str, Any]], *, instead: bool = False
) -> None:
    """Put rows into a database; `instead` of all that are there."""
    rows = list(threads)
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        if instead:
            connection.execute("DELETE FROM threads")
        if rows:
            names, marks = ", ".join(rows[0]), ", ".join("?" * len(rows[0]))
            statement = f"INSERT INTO threads ({names}) VALUES ({marks})"
            connection.executemany(statement, (tuple(row.values()) for row in rows))
