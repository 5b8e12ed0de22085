"""Consumers of the database, each asking one question over and over.

Each prints a line of JSON for each answer: `[threads, tokens, broken]`. The question is one
statement, so it sees one state of the database, whatever is written meanwhile. `broken` counts what
cannot be in any state: a thread without its file or a file without its thread, a thread that says
other than its last file, without its two tools, or without its edge.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.consumers.packages import node, program, python_packages

QUESTION = """
SELECT
    (SELECT count(*) FROM threads) AS threads,
    (SELECT sum(tokens_used) FROM threads) AS tokens,
    (SELECT count(*) FROM threads WHERE id NOT IN (SELECT thread_id FROM rollouts))
    + (SELECT count(*) FROM rollouts WHERE thread_id NOT IN (SELECT id FROM threads))
    + (SELECT count(*) FROM threads WHERE updated_at_ms <> (
        SELECT mtime_ns / 1000000 FROM rollouts
        WHERE thread_id = threads.id ORDER BY path DESC LIMIT 1))
    + (SELECT count(*) FROM threads WHERE tokens_used <> (
        SELECT coalesce(json_extract(summary, '$.tokens_used'), 0) FROM rollouts
        WHERE thread_id = threads.id ORDER BY path DESC LIMIT 1))
    + (SELECT count(*) FROM threads WHERE 2 <> (
        SELECT count(*) FROM thread_dynamic_tools WHERE thread_id = threads.id))
    + (SELECT count(*) FROM threads WHERE 1 <> (
        SELECT count(*) FROM thread_spawn_edges WHERE child_thread_id = threads.id)) AS broken
"""

# For some seconds, and until the answer has changed at all; a minute at most.
_PYTHON = """
import json, sys, time
path, question, seconds = sys.argv[1:]
began = time.monotonic()
answers = []

def goes_on():
    took = time.monotonic() - began
    is_alike = not answers or answers.count(answers[0]) == len(answers)
    return took < float(seconds) or (is_alike and took < 60)

def tell(answer):
    answers.append([int(each) for each in answer])
    print(json.dumps(answers[-1]), flush=True)
    time.sleep(0.01)
"""

_SQLITE3 = f"""{_PYTHON}
import sqlite3
kept = sqlite3.connect(f"file:{{path}}?mode=ro", uri=True, timeout=5)
while goes_on():
    for connection in (kept, sqlite3.connect(f"file:{{path}}?mode=ro", uri=True, timeout=5)):
        tell(connection.execute(question).fetchone())
    connection.close()
"""

_PANDAS = f"""{_PYTHON}
import pandas, sqlite3
connection = sqlite3.connect(f"file:{{path}}?mode=ro", uri=True, timeout=5)
while goes_on():
    tell(pandas.read_sql_query(question, connection).iloc[0])
"""

_DUCKDB = f"""{_PYTHON}
import pathlib
import duckdb, duckdb_extension_sqlite_scanner
[reader] = pathlib.Path(duckdb_extension_sqlite_scanner.__file__).parent.rglob("*.duckdb_extension")
connection = duckdb.connect(config={{"autoinstall_known_extensions": False}})
connection.execute(f"LOAD '{{reader}}'")
connection.execute(f"ATTACH '{{path}}' AS state (TYPE sqlite, READ_ONLY)")
while goes_on():
    # DuckDB's own scans of several tables are not one look; SQLite's answer to one statement is.
    found = connection.execute("FROM sqlite_query('state', ?)", [question]).fetchone()
    [scanned] = connection.execute("SELECT count(*) FROM state.threads").fetchone()
    assert scanned >= int(found[0]), (scanned, found)
    tell(found)
"""

_NODE = """
const { DatabaseSync } = require("node:sqlite");
const [path, question, seconds] = process.argv.slice(1);
const database = new DatabaseSync(path, { readOnly: true });
database.exec("PRAGMA busy_timeout = 5000");
const began = Date.now();
const answers = new Set();
const took = () => (Date.now() - began) / 1000;
while (took() < Number(seconds) || (answers.size < 2 && took() < 60)) {
  const answer = JSON.stringify(Object.values(database.prepare(question).get()));
  answers.add(answer);
  console.log(answer);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
}
"""

_SHELL = """
first=
changed=
while ((SECONDS < $3)) || { [[ -z $changed ]] && ((SECONDS < 60)); }; do
    answer=$("$4" -readonly -cmd '.timeout 5000' -separator , "$1" "$2")
    first=${first:-$answer}
    [[ $answer == "$first" ]] || changed=yes
    echo "[$answer]"
done
"""


@dataclass(frozen=True, slots=True)
class Consumer:
    """A program; `path` is for its PYTHONPATH."""

    command: list[str]
    path: Path | None = None

    def start(self, database: Path, seconds: int) -> subprocess.Popen[str]:
        """Have it ask for so many seconds."""
        arguments = [str(database), QUESTION, str(seconds)]
        at = self.command.index("...")
        return subprocess.Popen(
            [*self.command[:at], *arguments, *self.command[at + 1 :]],
            env={**os.environ, "PYTHONPATH": str(self.path or ""), "NODE_NO_WARNINGS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def _python(code: str, path: Path | None = None) -> Consumer:
    return Consumer([sys.executable, "-c", code, "..."], path)


CONSUMERS: dict[str, Callable[[], Consumer]] = {
    "sqlite3 shell": lambda: Consumer(["bash", "-euc", _SHELL, "shell", "...", program("sqlite3")]),
    "Python's sqlite3": lambda: _python(_SQLITE3),
    "pandas": lambda: _python(_PANDAS, python_packages()),
    "DuckDB": lambda: _python(_DUCKDB, python_packages()),
    "Node's sqlite": lambda: Consumer([str(node()), "-e", _NODE, "..."]),
}
