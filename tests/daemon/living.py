"""A real daemon on a place of its own, and the question whether its database is true."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rolloutd.instance import DaemonState, running_daemon
from tests.faults.processes import children_of, lives
from tests.running import Dump, Place, dump, fresh, state_of, wait_until

STOP_SECONDS = 2.0
_SETTLED_SECONDS = 0.05


@dataclass(slots=True)
class Daemon:
    """One that runs; its log goes to a file beside the database's folder."""

    place: Place
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def state(self) -> DaemonState | None:
        """What it says of itself."""
        state = running_daemon(self.place.database)
        return state if state is not None and state.pid == self.process.pid else None

    def is_in(self, phase: str) -> bool:
        """Whether it says that it is in that phase; it must be alive."""
        assert self.process.poll() is None, self.log.read_text()
        state = self.state
        return state is not None and state.phase == phase

    def wait_for(self, phase: str) -> None:
        wait_until(lambda: self.is_in(phase), f"the daemon is {phase}")

    def says(self, text: str) -> int:
        """How often the log holds a text, once it holds still."""
        # It is written by a thread of its own: what is seen elsewhere may not be in it yet.
        before = -1
        while (size := self.log.stat().st_size) != before:
            before = size
            time.sleep(_SETTLED_SECONDS)
        return self.log.read_text().count(text)

    def hang_up(self) -> None:
        """Ask for a reconcile now."""
        self.process.send_signal(signal.SIGHUP)

    def stop(
        self, number: signal.Signals = signal.SIGTERM, *, seconds: float = STOP_SECONDS
    ) -> None:
        """Stop it, and see that it ends as it should, leaving nothing behind."""
        readers = children_of(self.process.pid)
        self.end(number, seconds=seconds)
        self.has_left_nothing(readers)
        assert state_of(self.place.database).get("owner_token") is None

    def end(
        self, number: signal.Signals = signal.SIGTERM, *, seconds: float = STOP_SECONDS
    ) -> None:
        """Stop it, and see that it ends in time, and well, and has logged no path."""
        self.process.send_signal(number)
        code = self.process.wait(seconds)
        log = self.log.read_text()
        assert code == 0, (code, log)
        assert "Traceback" not in log, log
        assert str(self.place.root) not in log, log

    def has_left_nothing(self, readers: set[tuple[int, str]]) -> None:
        """See that these processes are gone, and that all is in the database, its lease free."""
        wait_until(lambda: not any(map(lives, readers)), "no process is left", 2)
        wal = self.place.database.with_name(self.place.database.name + "-wal")
        assert not wal.exists() or not wal.stat().st_size
        if self.place.database.is_file():
            assert state_of(self.place.database).get("owner_pid") != self.process.pid


@contextmanager
def living(
    place: Place,
    *,
    phase: str = "following",
    prefix: tuple[str, ...] = (),
    planted: str = "",
    stderr: Any = None,
    **environment: str,
) -> Iterator[Daemon]:
    """A daemon in that phase; it does not outlive the `with`.

    `planted` is Python that its process runs before it begins, `stderr` where it writes its log,
    if not to the file (a descriptor).
    """
    begin = "import sys\nfrom rolloutd.__main__ import main\nsys.argv = ['rolloutd', 'run']\nmain()"
    program = ("-c", f"{planted}\n{begin}") if planted else ("-m", "rolloutd", "run")
    log = place.root / "log"
    with (
        log.open("ab") as file,
        subprocess.Popen(
            [*prefix, sys.executable, *program],
            env=place.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file if stderr is None else stderr,
            start_new_session=True,
        ) as process,
    ):
        try:
            daemon = Daemon(place, process, log)
            if phase:
                daemon.wait_for(phase)
            yield daemon
        finally:
            process.kill()


def is_reader(pid: int) -> bool:
    """Whether this child has become what it was started for."""
    try:
        return b"rolloutd.rollout.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def stop_readers(daemon: Daemon) -> set[int]:
    """SIGSTOP all of its reader processes, as soon as there are some."""
    stopped: set[int] = set()

    def are_stopped() -> bool:
        # One that is not the reader's program yet keeps the daemon waiting for that.
        new = {pid for pid, _ in children_of(daemon.process.pid) if is_reader(pid)} - stopped
        for pid in new:
            os.kill(pid, signal.SIGSTOP)
        stopped.update(new)
        return bool(stopped) and not new

    wait_until(are_stopped, "its readers are stopped")
    return stopped


def content(tables: Dump) -> str:
    """Of a dump, what the files say."""
    said = {name: rows for name, rows in tables.items() if name != "backfill_state"}
    return json.dumps(said, default=repr)  # Damage may have left bytes.


def is_true(place: Place, **options: Any) -> Callable[[], bool]:
    """Whether the database equals a fresh one, with these options, of the tree as it is now."""
    expected = content(fresh(place.home, **options))

    def check() -> bool:
        try:
            return content(dump(place.database)) == expected
        except (sqlite3.Error, KeyError):  # in the middle of being made
            return False

    return check


def wait_until_true(place: Place, seconds: float = 10.0, **options: Any) -> None:
    """Wait until the database equals a fresh one, with these options, of the tree as it is now."""
    wait_until(is_true(place, **options), "the database is true", seconds)


def append(path: Path, *lines: bytes) -> None:
    """Append lines at once."""
    with path.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))
