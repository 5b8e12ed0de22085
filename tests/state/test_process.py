"""Whether a process is alive, told of real ones."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from rolloutd.state.process import HIDDEN, Owner, boot, process_started
from tests.running import wait_until


@contextmanager
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that only waits, until it is killed or the `with` ends."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            yield process
        finally:
            process.kill()


def owner(pid: int, **changes: object) -> Owner:
    made = Owner("token", socket.gethostname(), boot(), pid, process_started(pid), 0)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_this_process() -> None:
    this, again = Owner.this_process(), Owner.this_process()
    assert this.pid == os.getpid()
    assert this.started == process_started(os.getpid())
    assert this.token != again.token
    assert not this.is_provably_gone()


def test_a_live_process_is_not_gone_though_it_stands_still() -> None:
    with sleeper() as process:
        assert not owner(process.pid).is_provably_gone()
        process.send_signal(signal.SIGSTOP)
        assert not owner(process.pid).is_provably_gone()


def test_a_killed_process_is_gone_before_and_after_it_is_reaped() -> None:
    with sleeper() as process:
        held = owner(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        wait_until(held.is_provably_gone, "a zombie is gone")
        process.wait()
        assert held.is_provably_gone()


def test_a_pid_that_is_used_again_is_another_process() -> None:
    with sleeper() as process:
        held = owner(process.pid)
        assert held.started is not None
        assert replace(held, started=held.started - 1).is_provably_gone()
    assert owner(os.getpid(), started=1).is_provably_gone()


@pytest.mark.parametrize("changed", [{"host": "another"}, {"boot": "another"}])
def test_nothing_is_known_of_another_host_or_boot(changed: dict[str, str]) -> None:
    with sleeper() as process:
        held = owner(process.pid)
    assert held.is_provably_gone()
    assert not replace(held, **changed).is_provably_gone()  # type: ignore[arg-type]


def test_an_unknown_start_time_does_not_prove_anything() -> None:
    with sleeper() as process:
        assert not owner(process.pid, started=None).is_provably_gone()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hostile_process_name() -> None:
    """The name stands in the middle of /proc/PID/stat, unescaped."""
    code = (
        "import ctypes, sys\n"
        "ctypes.CDLL(None).prctl(15, b') R 1 (', 0, 0, 0)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        before = process_started(process.pid)
        assert process.stdout.readline() == b"ready\n"
        assert process_started(process.pid) == before
        assert before is not None
        process.kill()


# What a process may see of others that are not its own, where /proc is mounted for privacy.
_HIDDEN = """
mount -t proc -o hidepid=2,gid=4218 proc /proc
drop=-all
exec setpriv --bounding-set="$drop" --inh-caps="$drop" "$@"
"""


def test_a_process_that_proc_does_not_show_is_not_taken_for_gone() -> None:
    if os.geteuid() != 0 or shutil.which("setpriv") is None or shutil.which("unshare") is None:
        pytest.skip("only root, with util-linux, can mount /proc so that it hides processes")
    with subprocess.Popen(["setpriv", "--reuid=4217", "sleep", "60"]) as process:
        held = owner(process.pid)
        code = (
            "import sys\nfrom rolloutd.state.process import Owner, process_started\n"
            f"held = {held!r}\nprint(process_started(held.pid), held.is_provably_gone())"
        )
        command = ["unshare", "--mount", "sh", "-ec", _HIDDEN, "sh", sys.executable, "-c", code]
        try:
            seen = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            process.kill()
            process.wait()
            later = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        finally:
            process.kill()
    assert seen.split() == [str(HIDDEN), "False"]
    assert later.split() == ["None", "True"]


def test_only_a_process_that_is_certainly_that_one_is_here() -> None:
    this = Owner.this_process()
    assert this.is_certainly_here()
    assert this.started is not None
    for changed in (
        {"started": this.started - 1},
        {"started": None},
        {"host": "elsewhere"},
        {"boot": "another"},
        {"pid": 2**22 + 1},
    ):
        assert not replace(this, **changed).is_certainly_here()
