"""Run in the daemon's place: what does its confinement let through? Prints one JSON object."""

import ctypes
import errno
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_PTRACE_TRACEME = 0
_PER_LINUX32 = 8


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _attempts(home: Path, codex: Path, state: Path) -> dict[str, Callable[[], object]]:
    return {
        "write the state folder": lambda: (state / "probe").write_text(""),
        "write the private /tmp": lambda: Path("/tmp/rolloutd-probe").write_text(""),
        "list the rollouts": lambda: list((codex / "sessions").iterdir()),
        "look at a process": lambda: Path("/proc/1/stat").read_text(),
        "look at the mounts": lambda: Path("/proc/self/mountinfo").read_text(),
        "listen on loopback": lambda: socket.create_server(("127.0.0.1", 0)),
        "start a program": lambda: os.waitstatus_to_exitcode(os.system("true")),
        "write the home": lambda: (home / "probe").write_text(""),
        "write the Codex home": lambda: (codex / "probe").write_text(""),
        "write a rollout's folder": lambda: (codex / "sessions/probe").write_text(""),
        "remove a rollout's folder": (codex / "sessions").rmdir,
        "write /var/tmp": lambda: Path("/var/tmp/rolloutd-probe").write_text(""),
        "write the runtime folder": lambda: Path(f"/run/user/{os.getuid()}/probe").write_text(""),
        "read a secret key": lambda: list((home / ".ssh").iterdir()),
        "read Codex's token": (codex / "auth.json").read_text,
        "see the kernel's log": Path("/dev/kmsg").stat,
        "make a set-user-ID file": lambda: (state / "probe").chmod(0o4755),
        "make a user namespace": lambda: _call("unshare", _CLONE_NEWUSER),
        "mount": lambda: _call("mount", b"none", b"/mnt", b"tmpfs", 0, None),
        "trace": lambda: _call("ptrace", _PTRACE_TRACEME, 0, None, None),
        "change the personality": lambda: _call("personality", _PER_LINUX32),
        "map memory to write and run": lambda: mmap.mmap(-1, 4096, prot=7),
        "speak netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
        "speak vsock": lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM),
        "be less nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, 0),
        "set the host's name": lambda: _call("sethostname", b"probe", 5),
    }


def main() -> None:
    """Arguments: the home, the Codex home, the state folder."""
    found = {}
    for name, attempt in _attempts(*map(Path, sys.argv[1:])).items():
        try:
            attempt()
        except OSError as error:
            found[name] = errno.errorcode[error.errno or 0]
        else:
            found[name] = "done"
    print(json.dumps(found))


if __name__ == "__main__":
    main()
