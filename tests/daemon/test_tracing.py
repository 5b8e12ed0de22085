"""The record tells reading from all else: a real process does each thing once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.tracing import calls_about, is_reading, tracing
from tests.required import require_tracing

# `folder` is a Path with "file" and the empty "inner" in it.
READING = (
    "(folder / 'file').read_bytes()",
    "(folder / 'file').lstat()",
    "os.access(folder / 'file', os.R_OK)",
    "os.listdir(folder)",
    "os.open('file', os.O_RDONLY, dir_fd=os.open(folder, os.O_RDONLY))",
    "fcntl.fcntl(os.open(folder, os.O_RDONLY), fcntl.F_GETFL)",
)
MORE = (
    "(folder / 'file').open('ab')",
    "(folder / 'file').open('r+b')",
    "(folder / 'new').open('xb')",
    "os.open('file', os.O_WRONLY, dir_fd=os.open(folder, os.O_RDONLY))",
    "os.open(folder / 'new', os.O_RDONLY | os.O_CREAT)",
    "os.rename(folder / 'file', folder / 'other')",
    "os.replace('/tmp/nowhere', folder / 'file')",
    "os.link(folder / 'file', folder / 'other')",
    "os.symlink('nowhere', folder / 'other')",
    "os.unlink(folder / 'file')",
    "os.mkdir(folder / 'other')",
    "os.rmdir(folder / 'inner')",
    "os.chmod(folder / 'file', 0o600)",
    "os.fchmod(os.open(folder / 'file', os.O_RDONLY), 0o600)",
    "os.utime(folder / 'file')",
    "os.utime(os.open(folder / 'file', os.O_RDONLY))",
    "os.truncate(folder / 'file', 0)",
    "os.setxattr(folder / 'file', 'user.x', b'')",
    "os.chdir(folder)",
    "os.fchdir(os.open(folder, os.O_RDONLY))",
    "fcntl.flock(os.open(folder / 'file', os.O_RDONLY), fcntl.LOCK_SH)",
    "fcntl.lockf(os.open(folder / 'file', os.O_RDONLY), fcntl.LOCK_SH)",
)
_PROGRAM = """
import contextlib, fcntl, os, sys
from pathlib import Path
for number, statement in enumerate(sys.argv[2:]):
    folder = Path(sys.argv[1], str(number))
    with contextlib.suppress(OSError):
        exec(statement)
"""


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a process that did each thing in a folder of its own."""
    require_tracing()
    root = tmp_path_factory.mktemp("traced")
    statements = (*READING, *MORE)
    for number in range(len(statements)):
        (root / str(number) / "inner").mkdir(parents=True)
        (root / str(number) / "file").write_bytes(b"x")
    program = [sys.executable, "-c", _PROGRAM, str(root), *statements]
    # Not detached: then strace has written everything when it ends.
    prefix = [part for part in tracing(root / "record") if part != "--daemonize"]
    subprocess.run([*prefix, *program], check=True, timeout=60)
    return root / "record"


def calls_of(record: Path, statement: str) -> list[str]:
    number = (*READING, *MORE).index(statement)
    return list(calls_about(record, record.parent / str(number)))


@pytest.mark.parametrize("statement", READING)
def test_reading(record: Path, statement: str) -> None:
    calls = calls_of(record, statement)
    assert calls
    assert all(map(is_reading, calls)), calls


@pytest.mark.parametrize("statement", MORE)
def test_more_than_reading(record: Path, statement: str) -> None:
    calls = calls_of(record, statement)
    assert len([call for call in calls if not is_reading(call)]) == 1, calls
