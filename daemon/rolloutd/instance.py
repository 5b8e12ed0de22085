"""One daemon on one database: a lock that the kernel keeps, and lets go when we are gone.

The file that is locked also says how the daemon is, for `rolloutd status`. It lies beside the
database and is nobody's data: without a lock on it, what it says is void.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from rolloutd.errors import WorkHeld

_PATIENCE_SECONDS = 0.5


class DaemonState(Struct, frozen=True):
    """How a running daemon is; times in milliseconds since the epoch.

    Attributes:
        phase: `starting`, `waiting` (no home, or another worker), `backfill`, `following`,
            `failing` (the database).
        metrics: the address of the metrics, while there is one.
        watch: `native` or `poll`.
        watch_problem: why it polls, where there should be file events.
        lag_ms: from a file's last change to its row's commit, of the last file indexed.
        queue: files and directories that are to be looked at.
    """

    pid: int
    since_ms: int
    phase: str = "starting"
    metrics: str | None = None
    watch: str = "poll"
    watch_problem: str | None = None
    watch_restarts: int = 0
    last_event_ms: int | None = None
    last_reconcile_ms: int | None = None
    lag_ms: int | None = None
    queue: int = 0
    problem: str | None = None


class Instance:
    """The lock while we hold it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._told = b""
        self._length = 0

    def tell(self, state: DaemonState) -> None:
        """Say how we are; what a reader sees is always one whole state."""
        text = msgspec.json.encode(state)
        if text != self._told:
            self._told = text
            self._length = max(self._length, len(text))
            # One write over the old text, padded to its length: there is no moment of emptiness.
            # On a full disk the old text stays; what we are here for goes on.
            with suppress(OSError):
                os.pwrite(self._descriptor, text.ljust(self._length), 0)


@contextmanager
def single_instance(database: Path) -> Iterator[Instance]:
    """Be the daemon of this database.

    Raises:
        WorkHeld: another one is.
        OSError: the lock's file cannot be made.
    """
    path = _lock_path(database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor)
        os.ftruncate(descriptor, 0)
        yield Instance(descriptor)
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    # Who only asks whether there is a daemon holds the lock for a moment, too.
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise WorkHeld(_describe(_read(descriptor))) from None
            time.sleep(0.02)
        else:
            return


def running_daemon(database: Path) -> DaemonState | None:
    """The daemon of this database, if one runs now."""
    try:
        descriptor = os.open(_lock_path(database), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(descriptor)
    else:
        return None
    finally:
        os.close(descriptor)


def _lock_path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def _read(descriptor: int) -> DaemonState | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, 4096, 0), type=DaemonState)
    except msgspec.DecodeError:
        return None


def _describe(state: DaemonState | None) -> str:
    if state is None:
        return "another rolloutd is starting on this database"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(state.since_ms / 1000))
    return f"rolloutd already runs on this database: process {state.pid}, since {since}"
