"""Rollouts for tests: lines, files, and what is read from them.

Lines come from the oracle's builders; `@id@` in them is `THREAD`, `@other@` is `OTHER`.
"""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from rolloutd.records import FileSummary, Known, Reading, ThreadRecord
from rolloutd.rollout.joining import Joining
from rolloutd.rollout.lines import LINE_LIMIT_BYTES
from rolloutd.rollout.merge import merge
from rolloutd.rollout.parts import Part, PartReading, read_part
from rolloutd.rollout.reading import read_rollout
from tests.oracle import cases_build
from tests.oracle.cases_build import Json, event, fill, rollout, thread_id

_CASE = "tests"
THREAD = thread_id(_CASE)
OTHER = thread_id(_CASE, "other")
THIRD = thread_id(_CASE, "third")
MTIME_NS = 1_760_000_001_234_567_890
PROVIDER = "default-provider"


def own(text: bytes) -> bytes:
    """The text with real ids in it."""
    return fill(_CASE, text)


PATH = own(cases_build.PATH.encode()).decode()
ARCHIVED = own(cases_build.ARCHIVED.encode()).decode()

HEADER_020 = own(
    b'{"id":"@id@","timestamp":"2025-08-01T02:03:04.567Z","instructions":null,'
    b'"git":{"commit_hash":"abc","branch":"main","repository_url":"u"}}'
)


def goal(objective: str) -> bytes:
    """A thread_goal_updated, as 0.169.0 writes it."""
    inner: Json = {
        "threadId": "@id@",
        "objective": objective,
        "status": "active",
        "tokensUsed": 0,
        "timeUsedSeconds": 0,
        "createdAt": 1,
        "updatedAt": 1,
    }
    return event("thread_goal_updated", threadId="@id@", goal=inner)


def applied(**changes: Json) -> bytes:
    """A thread_settings_applied, as 0.169.0 writes it."""
    base: dict[str, Json] = {
        "model": "applied-model",
        "model_provider_id": "applied",
        "approval_policy": "untrusted",
        "approvals_reviewer": "user",
        "permission_profile": {"type": "disabled"},
        "cwd": "/applied/./x/",
        "collaboration_mode": {"mode": "default", "settings": {"model": "m"}},
    }
    return event("thread_settings_applied", thread_settings={**base, **changes})


def write(home: Path, content: bytes, path: str = PATH, mtime_ns: int = MTIME_NS) -> Path:
    """Put a rollout there, in place if there is one already."""
    file = home / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(own(content))
    os.utime(file, ns=(mtime_ns, mtime_ns))
    return file


def write_with_hole(home: Path, before: bytes, after: bytes, hole: int, path: str = PATH) -> Path:
    """A rollout with one line of `hole` NUL bytes, which take no room on disk."""
    file = write(home, before, path)
    with file.open("r+b") as stream:
        stream.seek(hole, os.SEEK_END)
        stream.write(b"\n" + own(after))
    return file


def append(home: Path, content: bytes, path: str = PATH) -> None:
    with (home / path).open("ab") as file:
        file.write(own(content))


def read(home: Path, path: str = PATH, known: Known | None = None) -> Reading:
    return read_rollout(os.fspath(home), path, known)


def read_in_parts(
    home: Path, path: str, size: int, rng: random.Random, line_limit: int = LINE_LIMIT_BYTES
) -> Reading | None:
    """The reading of a file whose parts, of `size` bytes, are read and joined in any order."""
    whole = (home / path).stat().st_size
    parts = [Part(number, whole, size) for number in range(Part(0, whole, size).count)]
    rng.shuffle(parts)
    joining = Joining(path)
    for left, part in reversed(list(enumerate(parts))):
        reading = read_part(os.fspath(home), path, part, line_limit=line_limit)
        sent = msgspec.msgpack.encode(reading)
        told = msgspec.msgpack.decode(sent, type=PartReading | None)
        assert joining.add(part, told) == (left == 0)
    return joining.reading()


def read_lines(home: Path, *lines: bytes, path: str = PATH) -> Reading:
    """What a rollout of these lines gives."""
    write(home, rollout(*lines), path)
    return read(home, path)


def known_of(reading: Reading) -> Known:
    """What is kept of a reading, after the journey through the database."""
    assert reading.cursor is not None
    known = Known(reading.cursor, reading.summary if reading.resume is None else reading.resume)
    return msgspec.json.decode(msgspec.json.encode(known), type=Known)


def file_summary(reading: Reading) -> FileSummary:
    assert reading.cursor is not None
    assert reading.error is None, reading.error
    return FileSummary(
        reading.path, reading.archived, reading.cursor.stamp.mtime_ns, reading.summary
    )


def merged(*readings: Reading, session_name: str | None = None) -> ThreadRecord:
    """The record of readings given in the order of their watermarks."""
    return merge(
        [file_summary(reading) for reading in readings],
        home="/home",
        default_provider=PROVIDER,
        session_name=session_name,
    )


def row(home: Path, *lines: bytes, path: str = PATH) -> ThreadRecord:
    """The record of a thread whose only rollout has these lines."""
    return merged(read_lines(home, *lines, path=path))


def without_privileges(code: str, *arguments: str) -> str:
    """What a Python program prints that may not read what its permissions forbid, root or not."""
    command = [sys.executable, "-c", code, *arguments]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root without setpriv: permissions forbid nothing")
        drop = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
