"""Looking at real processes, and holding one at a place of interest."""

import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.running import Place, state_of, wait_until


def stat_of(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def children_of(pid: int) -> set[tuple[int, str]]:
    """The children, each with the time that it began."""
    found = set()
    for entry in Path("/proc").iterdir():
        fields = stat_of(int(entry.name)) if entry.name.isdigit() else None
        if fields is not None and int(fields[1]) == pid:
            found.add((int(entry.name), fields[19]))
    return found


def lives(process: tuple[int, str]) -> bool:
    """Whether it runs still; a zombie does not."""
    fields = stat_of(process[0])
    return fields is not None and fields[19] == process[1] and fields[0] not in "ZX"


def is_locked(database: Path) -> bool:
    """Whether somebody is in the middle of a write."""
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def is_in_use(database: Path) -> bool:
    """Whether somebody is in the middle of a write, or of a look; empties the log if nobody is."""
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return bool(is_busy)


def stop_in_the_middle(
    place: Place,
    process: "subprocess.Popen[str]",
    is_amid: Callable[[Path], bool] = is_locked,
) -> dict[str, object]:
    """SIGSTOP a backfill that has done some of its work, between two writes; returns its state.

    Not where it `is_amid` something.
    """
    seen = 0

    def has_moved() -> bool:
        assert process.poll() is None, "it was done before it could be stopped"
        state = state_of(place.database)
        return bool(state and state["status"] == "running" and state["scanned"] > seen)

    while True:
        wait_until(has_moved, "it works")
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: (stat_of(process.pid) or "?")[0] == "T", "it stands still")
        state = state_of(place.database)
        if not is_amid(place.database):
            return state
        seen = state["scanned"]
        process.send_signal(signal.SIGCONT)
