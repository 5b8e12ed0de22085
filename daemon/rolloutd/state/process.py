"""Who a process is, so that another one can tell later whether it still lives.

A pid alone is not enough: it is used again. A process is named by host, boot, pid namespace,
pid and start time.
"""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class Owner:
    """A worker that holds, or held, a lease.

    Attributes:
        token: unique to this claim; writes carry it.
        boot: boot id and pid namespace; pids of another one say nothing here.
        started: when the process started, in the system's own unit; compared for equality only.
        since_ms: when this claim was made, milliseconds since the epoch.
    """

    token: str
    host: str
    boot: str
    pid: int
    started: int | None
    since_ms: int

    @classmethod
    def this_process(cls) -> "Owner":
        """The process that asks, with a fresh token."""
        pid = os.getpid()
        now_ms = time.time_ns() // 1_000_000
        return cls(uuid4().hex, socket.gethostname(), boot(), pid, process_started(pid), now_ms)

    def is_provably_gone(self) -> bool:
        """True only if the process cannot be running: same boot, and its pid is free or reused."""
        if not self._is_of_this_boot():
            return False
        if self.pid == os.getpid():
            return self.started != process_started(self.pid)
        started = process_started(self.pid)
        if started is None or started == HIDDEN:
            return started is None
        return self.started is not None and started != self.started

    def is_certainly_here(self) -> bool:
        """True only if its pid is this very process for us, too: it may be sent a signal."""
        return (
            self._is_of_this_boot()
            and self.started is not None
            and self.started == process_started(self.pid)
        )

    def _is_of_this_boot(self) -> bool:
        return self.host == socket.gethostname() and self.boot == boot()


@cache
def boot() -> str:
    """Identifies this boot of this machine, and the pid namespace that we live in."""
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "kern.bootsessionuuid")
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot_id} {Path('/proc/self/ns/pid').readlink()}"


# It lives, but when it began is not for us to see: /proc is mounted with hidepid=.
HIDDEN = -1


def process_started(pid: int) -> int | None:
    """Start time of a live process (Linux: clock ticks since boot); None if there is none.

    A zombie is not alive: it will never write again. `HIDDEN` if that cannot be seen, as in a
    service whose user namespace is its own.
    """
    if sys.platform == "darwin":
        text = _output("ps", "-o", "lstart=", "-p", str(pid))
        return int(time.mktime(time.strptime(text))) if text else None
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except PermissionError:
        return HIDDEN
    except (FileNotFoundError, ProcessLookupError):
        return HIDDEN if _has_process(pid) else None
    # The command's name stands in parentheses and may hold anything, parentheses too.
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _has_process(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
