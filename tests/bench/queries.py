"""Part `queries`: what asking costs where there are very many threads."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from textwrap import shorten

from tests.interface.documents import SCHEMA_PAGE, examples

from .contestants import Rolloutd
from .measure import RunError, environment
from .report import Section, Verdict
from .statistic import percentile, spread
from .trees import Spec, Tree, run_folder, tree

LIST_MS = 300
COMMANDS = {
    "rolloutd list --limit 20": ("list", "--limit", "20"),
    "rolloutd list --limit 20 --json": ("list", "--limit", "20", "--json"),
    "rolloutd status": ("status",),
}
NAME = 48
"""Characters of a query's name."""


def measure(threads: Spec, times: int, say: Callable[[str], None]) -> list[Section]:
    """Ask each documented query on a new connection, and run each command, `times` times."""
    measured = tree(threads)
    with run_folder() as folder:
        say("the backfill")
        Rolloutd().run(measured, folder)
        database = folder / "state.sqlite"
        return [_queries(measured, database, times, say), _commands(measured, database, times, say)]


def _queries(measured: Tree, database: Path, times: int, say: Callable[[str], None]) -> Section:
    title = f"what migrations/README.md documents, on {measured.files:,} threads"
    said = Section("queries", title)
    said.columns = ("", "rows", "p50 ms", "p99 ms", "plan")
    figures = {}
    values = _values(database)
    for example in examples(SCHEMA_PAGE, "sql"):
        query = example.text
        name = shorten(example.title.rpartition(". ")[2], NAME, placeholder=" ...")
        say(name)
        seconds = []
        rows = 0
        for _ in range(times):
            began = time.perf_counter()
            with closing(_connected(database)) as connection:
                rows = len(connection.execute(query, values).fetchall())
            seconds.append(time.perf_counter() - began)
        with closing(_connected(database)) as connection:
            plan = "; ".join(
                row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)
            )
        figures[name] = {"rows": rows, "seconds": spread(seconds), "plan": plan}
        said.rows.append((name, f"{rows:,}", *_milliseconds(seconds), _how(plan)))
    said.figures = figures
    return said


def _commands(measured: Tree, database: Path, times: int, say: Callable[[str], None]) -> Section:
    said = Section("queries", f"commands on {measured.files:,} threads, the whole process")
    said.columns = ("", "lines", "p50 ms", "p99 ms")
    figures = {}
    env = environment(measured.home, database)
    for name, arguments in COMMANDS.items():
        say(name)
        command = [sys.executable, "-m", "rolloutd", *arguments]
        if not _is_there(arguments[0], env):
            said.left_out[name] = "this rolloutd has no such command"
            continue
        seconds = []
        lines = 0
        for _ in range(times):
            began = time.perf_counter()
            ended = subprocess.run(command, env=env, capture_output=True, check=False)
            seconds.append(time.perf_counter() - began)
            if ended.returncode:
                raise RunError(f"{name}: exit {ended.returncode}: {ended.stderr[-300:]!r}")
            lines = ended.stdout.count(b"\n")
        said.rows.append((name, str(lines), *_milliseconds(seconds)))
        figures[name] = {"lines": lines, "seconds": spread(seconds)}
        if arguments[0] == "list":
            said.verdicts.append(Verdict(f"{name}: median, ms", median(seconds) * 1000, LIST_MS))
    said.figures = figures
    return said


def _is_there(command: str, env: dict[str, str]) -> bool:
    asked = [sys.executable, "-m", "rolloutd", command, "--help"]
    return subprocess.run(asked, env=env, capture_output=True, check=False).returncode == 0


def _connected(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=5)


def _values(database: Path) -> dict[str, object]:
    """Return what the queries ask for: a thread, its directory, a time shortly ago, words."""
    some = "LIMIT 1 OFFSET 50"
    with closing(_connected(database)) as connection:
        thread_id, cwd = connection.execute(f"SELECT id, cwd FROM threads {some}").fetchone()
        (since,) = connection.execute(
            f"SELECT indexed_at_ms FROM rollouts ORDER BY indexed_at_ms DESC {some}"
        ).fetchone()
    return {"id": thread_id, "cwd": cwd, "since": since, "text": "slow", "name": "none"}


def _milliseconds(seconds: Sequence[float]) -> tuple[str, str]:
    return f"{median(seconds) * 1000:.1f}", f"{percentile(seconds, 0.99) * 1000:.1f}"


def _how(plan: str) -> str:
    steps = plan.split("; ")
    if any(
        step.startswith(("SCAN threads", "SCAN rollouts")) and "USING" not in step for step in steps
    ):
        return "every row"
    return "index, sorts" if "TEMP B-TREE" in plan else "index"
