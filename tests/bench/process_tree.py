"""CPU time, memory and bytes read of a process and all its descendants, from /proc (Linux only).

CPU time and bytes read are the kernel's own totals and exact, because a parent inherits those of
the children that it reaped. Memory is sampled, so its peak is a lower bound; that of each single
process is exact up to its last sample (VmHWM).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

INTERVAL = 0.005
"""Seconds between two samples of memory."""
PSS_SHARE = 0.02
"""Of the time, what PSS may cost: it walks the page tables, and holds up the process measured."""
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Totals:
    """What the kernel has counted for a tree of processes: CPU seconds, bytes read, wakes.

    `switches` are the times that one of its threads began to wait: what a battery pays for.
    """

    cpu: float
    read: int
    switches: int


class ProcessTree:
    """A process and its descendants. It must lead a session: orphans are known by the session."""

    def __init__(self, root: int) -> None:
        self.seen: set[str] = set()
        self._root = str(root)
        self._known: dict[str, bool] = {}

    def totals(self) -> Totals:
        """Return what was used so far; a root that ended must not be reaped yet."""
        cpu = read = switches = 0
        for pid in self._members():
            cpu += sum(map(int, _stat(pid)[11:15]))
            read += _number(_contents(pid, "io"), b"rchar:")
            switches += sum(
                _number(_contents(pid, f"task/{task}/status"), b"\nvoluntary_ctxt_switches:")
                for task in _tasks(pid)
            )
        return Totals(cpu / TICK, read, switches)

    def rss(self) -> tuple[int, int]:
        """Return the sum of resident bytes, and the highest peak of any process alone."""
        statuses = [_contents(pid, "status") for pid in self._members()]
        resident = sum(_number(status, b"VmRSS:") for status in statuses)
        alone = max((_number(status, b"VmHWM:") for status in statuses), default=0)
        return resident * 1024, alone * 1024

    def pss(self) -> int:
        """Return the sum of resident bytes, shared ones divided among those who share them."""
        pids = self._members()
        return 1024 * sum(_number(_contents(pid, "smaps_rollup"), b"\nPss:") for pid in pids)

    def _members(self) -> list[str]:
        """Return the pids of the tree. A pid is looked at once, and forgotten once it is gone."""
        with os.scandir("/proc") as entries:
            names = [entry.name for entry in entries]
        if self._known.keys() != set(names):
            known = {name: self._known[name] for name in names if name in self._known}
            for name in names:
                if name not in known:
                    known[name] = name.isdigit() and self._belongs(name, known)
            self._known = known
        members = [name for name, belongs in self._known.items() if belongs]
        self.seen.update(members)
        return members

    def _belongs(self, pid: str, known: Mapping[str, bool]) -> bool:
        if pid == self._root:
            return True
        _, parent, _, session, *_ = _stat(pid)
        return session == self._root or known.get(parent, False)


class Sampler:
    """Samples the memory of a tree of processes in a thread, while it is entered."""

    def __init__(self, root: int) -> None:
        self.rss_peak = 0
        self.pss_peak = 0
        self._tree = ProcessTree(root)
        self._pss_due = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    @property
    def processes(self) -> int:
        """How many processes of the tree were seen."""
        return len(self._tree.seen)

    def totals(self) -> Totals:
        """Return what was used so far; a root that ended must not be reaped yet."""
        return self._tree.totals()

    def _loop(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._sample()

    def _sample(self) -> None:
        rss, alone = self._tree.rss()
        self.rss_peak = max(self.rss_peak, rss, alone)
        if (started := time.perf_counter()) >= self._pss_due:
            self.pss_peak = max(self.pss_peak, self._tree.pss())
            ended = time.perf_counter()
            self._pss_due = ended + (ended - started) / PSS_SHARE


def _tasks(pid: str) -> list[str]:
    try:
        with os.scandir(f"/proc/{pid}/task") as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []


def _stat(pid: str) -> list[str]:
    """Return /proc/PID/stat from the state on; zeros of a process that is gone."""
    return _contents(pid, "stat").decode(errors="replace").rpartition(")")[2].split() or ["0"] * 50


def _contents(pid: str, name: str) -> bytes:
    """Return a file of /proc/PID; nothing of a process that is gone."""
    try:
        file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(file, 16_384)
    except OSError:
        return b""
    finally:
        os.close(file)


def _number(contents: bytes, key: bytes) -> int:
    """Return the number after `key`, 0 if there is none."""
    _, found, rest = contents.partition(key)
    return int(rest.split(maxsplit=1)[0]) if found else 0
