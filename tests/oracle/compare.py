"""What two Codex releases and rolloutd make of one home, and which of them is right about what.

The rule is the last sentence of rollouts.md: "for every column that both have, rolloutd's row
equals 0.130.0's, and where 0.130.0 knows less than 0.169.0 [...], 0.169.0's".
"""

from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeAlias

from tests.running import Place

from .codex_index import CodexDatabase, copy_home, index_with_codex
from .releases import release

OLD, NEW = "0.130.0", "0.169.0"

Row: TypeAlias = dict[str, Any]
"""A thread: its columns, what the other two tables hold of it (`TOOLS`, `EDGE`), and `MTIME`.

Paths are relative to the home.
"""
Rows: TypeAlias = dict[str, Row]
"""Threads by id."""

TOOLS, EDGE = "dynamic_tools", "spawn_edge"
MTIME = "mtime_ns"
"""Not a column: the time of the file that the row points to, as it is on disk."""

TURN = ("model", "reasoning_effort", "sandbox_policy", "approval_mode")
MESSAGE = ("first_user_message", "title")
META = (
    "created_at",
    "created_at_ms",
    "source",
    "model_provider",
    "cwd",
    "cli_version",
    "thread_source",
    "agent_nickname",
    "agent_role",
    "agent_path",
    "git_sha",
    "git_branch",
    "git_origin_url",
    "memory_mode",
    EDGE,
)

UNREAD_BY_OLD = {
    "model": (None, TURN),
    "first_user_message": ("", MESSAGE),
    "cli_version": ("", META),
}
"""Columns that come from the same lines, by one of them and its default.

Where 0.130.0 has that default and 0.169.0 has not, 0.130.0 could not read those lines: it knows
less, and 0.169.0 is the judge of all of them.
"""

MISREAD_BY_OLD: tuple[tuple[str, tuple[str, ...]], ...] = (
    # thread_settings_applied and item_completed; a number over what a float can be.
    (
        "applied*",
        ("model", "reasoning_effort", "approval_mode", "model_provider", "cwd"),
    ),
    ("item-first", MESSAGE),
    ("json-big-exponent", MESSAGE),
    # A name with a segment's id says nothing to 0.130.0, so it sees the first file alone.
    ("merge-second-headerless", (*TURN, *MESSAGE, *META, "updated_at", "updated_at_ms")),
)
"""By name of the thread: where 0.130.0 knows less too, which its row alone does not show."""


def expected(name: str, old: Row | None, new: Row | None) -> Row | None:
    """The row that rolloutd should have: the rule, column by column. None: no row at all."""
    if old is None or new is None:
        return new if old is None else old
    right = {**new, **old}
    # 0.130.0 turns the path of some threads with several files to an older one after its backfill.
    by_new = {"rollout_path", MTIME}
    for leader, (default, columns) in UNREAD_BY_OLD.items():
        if old[leader] == default != new[leader]:
            by_new.update(columns)
    for pattern, columns in MISREAD_BY_OLD:
        if fnmatchcase(name, pattern):
            by_new.update(columns)
    return {**right, **{column: new[column] for column in by_new}}


@dataclass(frozen=True)
class Judged:
    """One home, indexed by three programs."""

    old: Rows
    new: Rows
    rolloutd: Rows

    def thread_ids(self) -> list[str]:
        """Every thread that any of the three lists."""
        return sorted(self.old.keys() | self.new.keys() | self.rolloutd.keys())


def judge(home: Path, scratch: Path, database: Path | None = None) -> Judged:
    """Let both releases, each on a copy in `scratch`, and rolloutd index a home.

    Or take what rolloutd has made of it already, in `database`.
    """

    def codex(version: str) -> Rows:
        copy = copy_home(home, scratch / version)
        return rows_of_codex(index_with_codex(release(version), copy))

    def rolloutd() -> Rows:
        return rows_of_rolloutd(home, database or backfilled(home, scratch / "rolloutd"))

    with ThreadPoolExecutor(3) as pool:
        old, new = pool.submit(codex, OLD), pool.submit(codex, NEW)
        ours = pool.submit(rolloutd)
        return Judged(old.result(), new.result(), ours.result())


def rows_of_codex(database: CodexDatabase) -> Rows:
    """The rows of a Codex database."""
    return _joined(
        database.home,
        database.threads,
        database.thread_dynamic_tools or [],
        database.thread_spawn_edges,
    )


def backfilled(home: Path, scratch: Path) -> Path:
    """The database that `rolloutd backfill` makes of a home, run as a user runs it."""
    (scratch / "user").mkdir(parents=True)
    place = Place(scratch)
    place.backfill(CODEX_HOME=str(home))
    return place.database


def rows_of_rolloutd(home: Path, database: Path) -> Rows:
    """The rows of a database of rolloutd's."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        threads, tools, edges = (
            [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
            for table in ("threads", "thread_dynamic_tools", "thread_spawn_edges")
        )
    for row in threads:
        del row["source_class"]  # Ours alone: by `source`, which is judged.
    return _joined(home.resolve(), threads, tools, edges)


_TOOL_COLUMNS = ("position", "name", "description", "input_schema", "defer_loading", "namespace")


def _joined(home: Path, threads: list[Row], tools: list[Row], edges: list[Row]) -> Rows:
    rows = {row["id"]: {**row, TOOLS: (), EDGE: None} for row in threads}
    for row in rows.values():
        row[MTIME] = Path(row["rollout_path"]).stat().st_mtime_ns
        row["rollout_path"] = os.path.relpath(row["rollout_path"], home)
    for tool in sorted(tools, key=lambda tool: int(tool["position"])):
        rows[tool["thread_id"]][TOOLS] += (tuple(tool[column] for column in _TOOL_COLUMNS),)
    for edge in edges:
        rows[edge["child_thread_id"]][EDGE] = (edge["parent_thread_id"], edge["status"])
    return rows
