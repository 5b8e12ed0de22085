"""Play, follow, show; `--seconds` bounds it, Ctrl-C ends it."""

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rich.console import Group, JustifyMethod
from rich.live import Live
from rich.table import Table

from rolloutd.instance import running_daemon
from tests.demo.player import age_of, play

_QUERY = """
    SELECT substr(id, 1, 8), archived, updated_at_ms, model, tokens_used, git_branch, cwd, title
    FROM threads ORDER BY updated_at_ms DESC LIMIT 12
"""
_REFRESH_SECONDS = 0.25
# Below so many cells some columns are left out, so that what grows is seen.
_WIDE = 110
_LEFT_OUT = {"branch", "folder"}
_LEAST = {"thread": 8, "changed": 8, "model": 8, "tokens": 7}


def shown(database: Path, width: int) -> Group:
    """The newest threads, and how the daemon is; in so many cells."""
    table = Table(title="threads", title_justify="left")
    names = ["thread", "changed", "model", "tokens", "branch", "folder", "title"]
    is_wide = width >= _WIDE
    for name in names:
        if is_wide or name not in _LEFT_OUT:
            least = _LEAST.get(name)
            justify: JustifyMethod = "right" if name == "tokens" else "left"
            table.add_column(name, justify=justify, no_wrap=True, min_width=least)
    for thread, archived, changed, model, tokens, branch, cwd, title in rows(database):
        when = "archived" if archived else age_of(changed)
        more = (branch, cwd) if is_wide else ()
        table.add_row(thread, when, model, f"{tokens:,}", *more, title, style="dim" * archived)
    state = running_daemon(database)
    line = "the daemon starts" if state is None else f"daemon {state.pid}: {state.phase}"
    if state is not None and state.lag_ms is not None:
        line += f", {state.lag_ms} ms behind the files"
    return Group(table, line)


def rows(database: Path) -> list[tuple[str, int, int, str, int, str, str, str]]:
    """What any other tool would ask."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(_QUERY).fetchall()
    except sqlite3.OperationalError:
        return []  # There is none yet.


@contextmanager
def daemon(home: Path, database: Path) -> Iterator[None]:
    """rolloutd, until the end of the `with`."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ROLLOUTD_")},
        "CODEX_HOME": str(home),
        "ROLLOUTD_DATABASE": str(database),
        "ROLLOUTD_LOG_LEVEL": "error",
        "ROLLOUTD_METRICS_PORT": "0",
        "XDG_CONFIG_HOME": str(home),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "rolloutd", "run"], env=environment, start_new_session=True
    ) as process:
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def player(home: Path, seed: int) -> Iterator[None]:
    """Sessions that grow, until the end of the `with`."""
    stopped = threading.Event()
    thread = threading.Thread(target=play, args=(home, stopped, seed))
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def main() -> None:
    """Show it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    # Ended by these, so that the daemon does not stay behind; a shell may have had Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    deadline = time.monotonic() + arguments.seconds
    with tempfile.TemporaryDirectory(prefix="rolloutd-demo-") as folder:
        home, database = Path(folder, "codex"), Path(folder, "state", "state.sqlite")
        (home / "sessions").mkdir(parents=True)
        with daemon(home, database), player(home, arguments.seed):
            try:
                with Live(auto_refresh=False) as live:
                    while time.monotonic() < deadline:
                        live.update(shown(database, live.console.width), refresh=True)
                        time.sleep(_REFRESH_SECONDS)
            except KeyboardInterrupt:
                pass


if __name__ == "__main__":
    main()
