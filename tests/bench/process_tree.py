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
from types import TracebackType
from typing import Self

INTERVAL = 0.005
"""Seconds between two samples of memory."""
PSS_SHARE = 0.02
"""Of the time, what PSS may cost: it walks the page tables, and holds up the process measured."""
TICK = os.sysconf("SC_CLK_TCK")


class Sampler:
    """Samples the memory of a process and its descendants in a thread, while it is entered.

    The process must lead a session of its own: orphans are recognised by the session.
    """

    def __init__(self, root: int) -> None:
        self.rss_peak = 0
        self.pss_peak = 0
        self._root = str(root)
        self._known: dict[str, bool] = {}
        self._seen: set[str] = set()
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
        return len(self._seen)

    def totals(self) -> tuple[float, int]:
        """Return CPU seconds and bytes read so far; a root that ended must not be reaped yet."""
        cpu = read = 0
        for pid in self._members():
            cpu += sum(map(int, _stat(pid)[11:15]))
            read += _number(_contents(pid, "io"), b"rchar:")
        return cpu / TICK, read

    def _loop(self) -> None:
        while not self._stop.wait(INTERVAL):
            self._sample()

    def _sample(self) -> None:
        members = self._members()
        self._seen.update(members)
        statuses = [_contents(pid, "status") for pid in members]
        rss = sum(_number(status, b"VmRSS:") for status in statuses)
        alone = max((_number(status, b"VmHWM:") for status in statuses), default=0)
        self.rss_peak = max(self.rss_peak, rss * 1024, alone * 1024)
        if (started := time.perf_counter()) >= self._pss_due:
            pss = sum(_number(_contents(pid, "smaps_rollup"), b"\nPss:") for pid in members)
            self.pss_peak = max(self.pss_peak, pss * 1024)
            ended = time.perf_counter()
            self._pss_due = ended + (ended - started) / PSS_SHARE

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
        return [name for name, belongs in self._known.items() if belongs]

    def _belongs(self, pid: str, known: Mapping[str, bool]) -> bool:
        if pid == self._root:
            return True
        _, parent, _, session, *_ = _stat(pid)
        return session == self._root or known.get(parent, False)


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
