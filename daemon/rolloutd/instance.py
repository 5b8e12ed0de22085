"""One daemon on one database: a lock that the kernel keeps, and lets go when we are gone.

The file that is locked also says how the daemon is, for `rolloutd status`. It lies beside the
database and is nobody's data: without a lock on it, what it says is void.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from rolloutd.errors import WorkHeld
from rolloutd.state.file import create_private, identity_of

_PATIENCE_SECONDS = 0.5
_PAUSE_SECONDS = 0.02
_MOST_BYTES = 1 << 20


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
    """The lock while we hold it; whoever has made it closes it."""

    def __init__(self, database: Path) -> None:
        """Take it.

        Raises:
            WorkHeld: another daemon has it.
            OSError: its file cannot be made.
        """
        self._path = _lock_path(database)
        self._descriptor = _opened(self._path)
        self._told = b""
        try:
            _take(self._descriptor)
            self._length = _voided(self._descriptor)
        except BaseException:
            self.close()
            raise

    def tell(self, state: DaemonState) -> None:
        """Say how we are; what a reader sees is always one whole state."""
        # On a full disk the old text stays; what we are here for goes on.
        with suppress(OSError):
            self._stay()
            text = msgspec.json.encode(state)
            if text != self._told:
                # One write over the old text, padded to its length: there is no moment of
                # emptiness, and where there was a text before no more room is needed.
                self._length = max(self._length, len(text))
                os.pwrite(self._descriptor, text.ljust(self._length), 0)
                self._told = text

    def close(self) -> None:
        """Give it back."""
        os.close(self._descriptor)

    def _stay(self) -> None:
        """If somebody has deleted the file, lock another one in its place, while that is free."""
        status = os.fstat(self._descriptor)
        if identity_of(self._path) == (status.st_dev, status.st_ino):
            return
        descriptor = _opened(self._path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return
        os.close(self._descriptor)
        self._descriptor, self._told, self._length = descriptor, b"", _voided(descriptor)


@contextmanager
def single_instance(database: Path) -> Iterator[Instance]:
    """Be the daemon of this database; raises what `Instance` does."""
    with closing(Instance(database)) as instance:
        yield instance


def _opened(path: Path) -> int:
    create_private(path)
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _take(descriptor: int) -> None:
    # Who only asks whether there is a daemon holds the lock for a moment, too.
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise WorkHeld(_describe(_read(descriptor))) from None
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _voided(descriptor: int) -> int:
    """Blank what an earlier daemon has said; returns how long that is."""
    size = os.fstat(descriptor).st_size
    if size > _MOST_BYTES:
        os.ftruncate(descriptor, 0)
        return 0
    os.pwrite(descriptor, b" " * size, 0)
    return size


def running_daemon(database: Path) -> DaemonState | None:
    """The daemon of this database, if one runs now, and says how it is."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        is_held, state = _seen(_lock_path(database))
        # One that has only just begun says so in a moment.
        if not is_held or state is not None or time.monotonic() > deadline:
            return state
        time.sleep(_PAUSE_SECONDS)


def _seen(path: Path) -> tuple[bool, DaemonState | None]:
    """Whether the lock is held, and what its holder says."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False, None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True, _read(descriptor)
    else:
        return False, None
    finally:
        os.close(descriptor)


def _lock_path(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def _read(descriptor: int) -> DaemonState | None:
    try:
        return msgspec.json.decode(os.pread(descriptor, _MOST_BYTES, 0), type=DaemonState)
    except msgspec.DecodeError:
        return None


def _describe(state: DaemonState | None) -> str:
    if state is None:
        return "another rolloutd is starting on this database"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(state.since_ms / 1000))
    return f"rolloutd already runs on this database: process {state.pid}, since {since}"
