"""Running rolloutd for real: as a process in a clean environment, or its backfill in this one.

Both ways end with the same question: does this database equal a fresh one (`dump`)?
"""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rolloutd.backfill import Backfill, Report
from rolloutd.batches import Observer, Terms
from rolloutd.progress import QuietObserver
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state.database import StateDatabase
from tests.oracle.cases_build import meta, rollout, turn, user

Dump: TypeAlias = dict[str, list[dict[str, Any]]]

BOUND_SECONDS = 30.0
_PAUSE_SECONDS = 0.005

# When, and by whom, the indexing was done; all else follows from the files.
_OF_THE_INDEXING = {
    "backfill_state": {"updated_at", "last_success_at"},
    "rollouts": {"indexed_at_ms"},
}


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, Any]:
        """What `--json` printed: one document and nothing else."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document


@dataclass(frozen=True, slots=True)
class Place:
    """A user's folders, with a Codex home in them, of which nothing else on this machine knows."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> "Place":
        """With an empty `sessions/`."""
        place = cls(root)
        (place.home / "sessions").mkdir(parents=True)
        (root / "user").mkdir()
        return place

    @property
    def home(self) -> Path:
        return self.root / "codex"

    @property
    def database(self) -> Path:
        return self.root / "state" / "state.sqlite"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.root / "user"),
            "XDG_CONFIG_HOME": str(self.root / "config"),
            "XDG_STATE_HOME": str(self.root / "xdg-state"),
            "CODEX_HOME": str(self.home),
            "ROLLOUTD_DATABASE": str(self.database),
            "ROLLOUTD_METRICS_PORT": "0",
        }

    def run(self, *arguments: str, prefix: tuple[str, ...] = (), **environment: str) -> Done:
        """Run `rolloutd` to its end, at most a bounded time."""
        ended = subprocess.run(
            [*prefix, sys.executable, "-m", "rolloutd", *arguments],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BOUND_SECONDS,
            check=False,
        )
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def backfill(self, *arguments: str, **environment: str) -> dict[str, Any]:
        """Run `rolloutd backfill --json`, which must succeed; returns its document."""
        done = self.run("backfill", "--json", *arguments, prefix=(), **environment)
        assert done.code == 0, done
        return done.document

    def status(self) -> dict[str, Any]:
        """Run `rolloutd status --json`, which must succeed; returns its document."""
        done = self.run("status", "--json")
        assert done.code == 0, done
        return done.document

    @contextmanager
    def started(self, *arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
        """`rolloutd`, leading a process group; whatever happens, it does not outlive the `with`."""
        with subprocess.Popen(
            [sys.executable, "-m", "rolloutd", *arguments],
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def index(self) -> None:
        """A backfill in this process, where running the command is not the matter."""
        index(self.home, self.database)

    def fresh(self) -> Dump:
        """What a fresh backfill of the tree as it is now writes."""
        return fresh(self.home)

    def thread(self, number: int, *lines: bytes, path: str | None = None) -> Path:
        """Write a rollout of the thread of that number; two lines unless given."""
        return write(self.home, path or watermark(number), *lines, number=number)


def thread_id(number: int) -> str:
    """The id of the thread of that number."""
    return f"00000000-0000-4000-8000-{number:012x}"


def watermark(number: int, *, root: str = "sessions", ending: str = ".jsonl") -> str:
    """Where the thread of that number lies, relative to the home; in the order of the numbers."""
    day = 1 + number % 9000 // 360
    seconds = number % 3600
    stamp = f"2026-01-{day:02}T03-{seconds // 60:02}-{seconds % 60:02}"
    folder = f"{root}/2026/01/{day:02}" if root == "sessions" else root
    return f"{folder}/rollout-{stamp}-{thread_id(number)}{ending}"


def write(home: Path, path: str, *lines: bytes, number: int) -> Path:
    """Write a rollout; `@id@` in its lines is the id of the thread of that number."""
    content = rollout(*lines) if lines else rollout(meta(), turn(), user(f"prompt {number}"))
    target = home / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.replace(b"@id@", thread_id(number).encode()))
    return target


def wait_until(
    condition: Callable[[], object],
    what: str,
    seconds: float = BOUND_SECONDS,
    *,
    pause: float = _PAUSE_SECONDS,
) -> None:
    """Return once the condition holds; fail if it does not within the bound."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(pause)


def wait_for_another_second() -> None:
    """Codex tells times by the second: what it makes from here on has a later one."""
    began = int(time.time())
    wait_until(lambda: int(time.time()) > began, "another second")


def _connection(database: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.as_uri()}?mode={mode}", timeout=BOUND_SECONDS, uri=True)


def rows(database: Path, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Ask a database, with a connection that ends at once."""
    with closing(_connection(database, "ro")) as connection:
        return connection.execute(query, parameters).fetchall()


def change(database: Path, statement: str, *parameters: object) -> None:
    """Change a database behind rolloutd's back."""
    with closing(_connection(database, "rw")) as connection, connection:
        connection.execute(statement, parameters)


def state_of(database: Path) -> dict[str, Any]:
    """The row of `backfill_state`; empty while there is none."""
    try:
        found = tables_of(database, ["backfill_state"])["backfill_state"]
    except sqlite3.OperationalError:
        return {}
    return found[0] if found else {}


def dump(database: Path) -> Dump:
    """Every table, every row, in the order of their content, but for what tells of the indexing."""
    names = rows(database, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    tables = tables_of(database, [name for (name,) in names])
    for table, columns in _OF_THE_INDEXING.items():
        for row in tables[table]:
            for column in columns:
                del row[column]
    return tables


def tables_of(database: Path, names: Iterable[str]) -> Dump:
    """Every row of these tables as it is, in one consistent look."""
    with closing(_connection(database, "ro")) as connection:
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        return {
            name: sorted(map(dict, connection.execute(f'SELECT * FROM "{name}"')), key=repr)
            for name in names
        }


def never() -> bool:
    """Never asked to stop."""
    return False


def index(
    home: Path,
    database: Path,
    *,
    rebuild: bool = False,
    provider: str = "openai",
    terms: Terms | None = None,
    observer: Observer | None = None,
    stopping: Callable[[], bool] = never,
) -> Report:
    """One backfill in this process, from opening to closing, with a single reader process."""
    with (
        ReaderPool(str(home), 1) as pool,
        StateDatabase.open_writer(database) as opened,
    ):
        return Backfill(
            opened,
            home,
            provider,
            pool,
            observer or QuietObserver(),
            terms=terms or Terms(),
            stopping=stopping,
        ).run(rebuild=rebuild)


def fresh(home: Path, **options: Any) -> Dump:
    """What a fresh backfill of the tree as it is now writes."""
    folder = home.parent / f"fresh-{time.monotonic_ns()}"
    index(home, folder / "state.sqlite", **options)
    return dump(folder / "state.sqlite")
