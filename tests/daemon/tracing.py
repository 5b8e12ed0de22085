"""What a process does to files, as the kernel sees it; and what of it is more than reading."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.faults.processes import stat_of

# All that takes a name, and what of the rest is more than reading; writing needs an open first.
_TRACED = (
    "%file",
    "fallocate",
    "fchdir",
    "fchmod",
    "fchown",
    "fcntl",
    "flock",
    "fremovexattr",
    "fsetxattr",
    "ftruncate",
)
# Not chdir: what has gone into a folder need not name it any more.
_READING = frozenset(
    {
        "access",
        "execve",
        "faccessat",
        "faccessat2",
        "getcwd",
        "inotify_add_watch",
        "lstat",
        "newfstatat",
        "readlink",
        "readlinkat",
        "stat",
        "statfs",
        "statx",
    }
)
_WRITABLE = re.compile(r"\bO_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)\b")
_LOCKING = re.compile(r"\bF_(?:OFD_)?SETLKW?\b|\bF_SETLEASE\b")
_CALL = re.compile(r"\d+ +(?P<name>\w+)\((?P<arguments>.*)")


def why_not() -> str | None:
    """Why processes cannot be traced here; None if they can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not on the PATH"
    tried = subprocess.run(
        [*tracing(Path("/dev/null")), "true"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return None if tried.returncode == 0 else f"strace cannot trace here: {tried.stderr.strip()}"


def tracing(record: Path) -> tuple[str, ...]:
    """A command to put in front: all that a program and its children do with files is recorded.

    The program stays our own child, under the pid that we know; strace is somebody else's.
    """
    options = ["--daemonize", "--follow-forks", "--seccomp-bpf", "--decode-fds=path"]
    silent = ["--quiet=attach,personality", "--signal=none"]
    return ("strace", *options, *silent, f"--trace={','.join(_TRACED)}", f"--output={record}")


def tracer_of(pid: int) -> tuple[int, str]:
    """The strace that traces a process; once it has ended, its record is complete."""
    status = Path(f"/proc/{pid}/status").read_text()
    (tracer,) = (int(line.split()[1]) for line in status.splitlines() if "TracerPid" in line)
    fields = stat_of(tracer)
    assert fields is not None
    return tracer, fields[19]


def calls_about(record: Path, folder: Path) -> Iterator[str]:
    """Every call that names the folder, or something below it."""
    named = re.compile(rf"[\"<]{re.escape(str(folder))}[/\">]")
    with record.open(errors="replace") as lines:
        yield from (line.rstrip() for line in lines if named.search(line))


def is_reading(line: str) -> bool:
    """Whether a call changes nothing and locks nothing."""
    call = _CALL.match(line)
    if call is None:
        return "resumed>" in line  # Its arguments were in a line before.
    name, arguments = call["name"], call["arguments"]
    if name in ("open", "openat", "openat2"):
        return not _WRITABLE.search(arguments)
    if name == "fcntl":
        return not _LOCKING.search(arguments)
    return name in _READING
