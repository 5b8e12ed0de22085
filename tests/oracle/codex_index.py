"""What a real Codex makes of a home: the rows of its state database."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .app_server import CodexFailedError, app_server, clean_environment

Row = dict[str, Any]

COPIED = ("sessions", "archived_sessions", "session_index.jsonl", "config.toml")
"""All of a home that decides what an index of it says."""


@dataclass(frozen=True)
class CodexDatabase:
    """The tables that rolloutd shares with Codex, rows in the order of their keys."""

    home: Path
    threads: list[Row]
    thread_dynamic_tools: list[Row] | None
    """None where the release has no such table."""
    thread_spawn_edges: list[Row]
    backfill_state: list[Row]

    def thread(self, thread_id: str) -> Row | None:
        """The row of one thread."""
        return next((row for row in self.threads if row["id"] == thread_id), None)


def copy_home(source: Path, destination: Path) -> Path:
    """Copy what an index depends on, with its mtimes; symbolic links stay links.

    FIFOs and sockets are left out: a copy of them would mean nothing.
    """
    destination.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        origin = source / name
        if origin.is_dir():
            shutil.copytree(
                origin, destination / name, symlinks=True, copy_function=_copy_if_regular
            )
        elif origin.exists():
            shutil.copy2(origin, destination / name)
    return destination


def _copy_if_regular(source: str, destination: str) -> None:
    if Path(source).is_file():
        shutil.copy2(source, destination)


def index_with_codex(binary: Path, home: Path, timeout: float = 60) -> CodexDatabase:
    """Let a release backfill a home, and read what it wrote.

    The home is written to: hand over a copy. Paths in the rows lie under it.

    Args:
        binary: A release, from ``releases.release``.
        home: A copy, from ``copy_home``.
        timeout: Seconds for the backfill; Codex itself gives up after 30.

    Raises:
        CodexFailedError: the release does not start, or leaves no database.
    """
    home = home.resolve()
    with app_server(binary, clean_environment(home, MOCK_API_KEY="unused"), timeout=timeout):
        pass
    databases = sorted(home.glob("state_*.sqlite"))
    if not databases:
        raise CodexFailedError(f"{binary} has left no state database in {home}")
    with closing(sqlite3.connect(databases[-1])) as connection:
        connection.row_factory = sqlite3.Row
        return CodexDatabase(
            home,
            threads=_rows(connection, "threads", "id") or [],
            thread_dynamic_tools=_rows(connection, "thread_dynamic_tools", "thread_id, position"),
            thread_spawn_edges=_rows(connection, "thread_spawn_edges", "child_thread_id") or [],
            backfill_state=_rows(connection, "backfill_state", "id") or [],
        )


def _rows(connection: sqlite3.Connection, table: str, order: str) -> list[Row] | None:
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    if known is None:
        return None
    query = f"SELECT * FROM {table} ORDER BY {order}"
    return [dict(row) for row in connection.execute(query)]
