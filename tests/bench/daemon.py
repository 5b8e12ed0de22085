"""`rolloutd run`, watched from outside: when it is ready, and what it costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from rolloutd.instance import DaemonState

from .measure import RunError, environment
from .process_tree import ProcessTree, Totals

READY_SECONDS = 300.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class Daemon:
    """One that runs on `home`, with its database and its log in a folder of its own."""

    home: Path
    database: Path
    process: subprocess.Popen[bytes]
    began: float
    """When it was started, by `time.perf_counter`."""
    _tree: ProcessTree = field(repr=False)

    def state(self) -> DaemonState | None:
        """Return what it says of itself.

        Its lock is not asked for: even for a moment that would be in its way.
        """
        try:
            text = self.database.with_name(f"{self.database.name}.lock").read_bytes()
            state = msgspec.json.decode(text, type=DaemonState)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return state if state.pid == self.process.pid else None

    def wait_ready(self) -> float:
        """Wait until it follows; return the seconds since it was started."""
        deadline = self.began + READY_SECONDS
        while (state := self.state()) is None or state.phase != "following":
            self.see_alive()
            if time.perf_counter() > deadline:
                raise RunError(f"not ready after {READY_SECONDS} s: {state}")
            time.sleep(LOOK_SECONDS)
        return time.perf_counter() - self.began

    def see_alive(self) -> None:
        """Raise RunError if it has ended."""
        if self.process.poll() is not None:
            log = self.database.with_name("log").read_text(errors="replace")
            raise RunError(f"the daemon ended with {self.process.returncode}: {log[-500:]}")

    def totals(self) -> Totals:
        """Return what it and its readers have used so far."""
        return self._tree.totals()

    def rss(self) -> int:
        """Return resident bytes now, over all its processes."""
        return self._tree.rss()[0]

    def pss(self) -> int:
        """Return the same with shared pages divided among those who share them."""
        return self._tree.pss()


@contextmanager
def daemon(home: Path, folder: Path, *options: str) -> Iterator[Daemon]:
    """Run one; it is stopped as a service manager would, and must end well."""
    database = folder / "state.sqlite"
    with (folder / "log").open("ab") as log:
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "rolloutd", "run", *options],
            env=environment(home, database),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process:
            try:
                one = Daemon(home, database, process, began, ProcessTree(process.pid))
                yield one
                one.see_alive()
                process.send_signal(signal.SIGTERM)
                if (code := process.wait(STOP_SECONDS)) != 0:
                    raise RunError(f"the daemon stopped with {code}")
            except subprocess.TimeoutExpired:
                raise RunError(f"the daemon did not stop within {STOP_SECONDS} s") from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
