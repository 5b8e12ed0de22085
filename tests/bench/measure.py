"""One command measured: from its start to its end, or to its answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .process_tree import Sampler, Totals

LIMIT = 900.0
"""Seconds after which a run is killed."""
GRACE = 10.0
"""Seconds that a server has to end by itself once its stdin is closed."""
PLAIN_READING = """
import os, sys
block = bytearray(1 << 20)
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), "rb", buffering=0) as file:
            while file.readinto(block):
                pass
"""
"""A program that reads all bytes below a folder, in blocks of 1 MiB, and nothing else."""


class RunError(Exception):
    """A contestant that is not there, did not do its work, or did not do it right."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run cost, over its tree of processes: seconds and bytes."""

    wall: float
    cpu: float
    rss_peak: int
    pss_peak: int
    read: int
    processes: int


def environment(home: Path, database: Path) -> dict[str, str]:
    """Return what rolloutd is to find in its environment: ours, but for all that would set it."""
    foreign = ("CODEX_", "ROLLOUTD_", "XDG_")
    ours = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return ours | {
        "HOME": str(database.parent),
        "CODEX_HOME": str(home),
        "ROLLOUTD_DATABASE": str(database),
        "ROLLOUTD_METRICS_PORT": "0",  # a free one: other daemons may run on this machine
    }


def plain_reading(home: Path) -> list[str]:
    """Return the command that reads every byte below `home`."""
    return [sys.executable, "-S", "-E", "-c", PLAIN_READING, str(home)]


def warm(home: Path) -> None:
    """Bring every byte below `home` into the page cache, as far as it has room."""
    subprocess.run(plain_reading(home), check=True)


def until_end(
    command: Sequence[str], folder: Path, env: Mapping[str, str]
) -> tuple[Measured, bytes]:
    """Run `command` in `folder` to its end; return its cost and what it wrote to stdout.

    Raises RunError if it fails or takes longer than LIMIT.
    """
    with (folder / "stdout").open("w+b") as stdout:
        with _started(command, folder, env, subprocess.DEVNULL, stdout) as (process, started):
            with Sampler(process.pid) as sampler:
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                cost = _cost(sampler, started)
            if process.wait() != 0:
                raise RunError(f"exit {process.returncode}: {_last_words(folder)}")
        stdout.seek(0)
        return _measured(sampler, *cost), stdout.read()


def until_answer(
    command: Sequence[str], folder: Path, env: Mapping[str, str], request: Mapping[str, object]
) -> Measured:
    """Run a server that speaks JSON lines in `folder` until it has answered `request`, by its id.

    What it does after the answer is not measured. Raises RunError if it ends without an answer,
    or takes longer than LIMIT.
    """
    pipe = subprocess.PIPE
    with _started(command, folder, env, pipe, pipe) as (process, started):
        assert process.stdin is not None
        assert process.stdout is not None
        with Sampler(process.pid) as sampler:
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(request).encode() + b"\n")
                process.stdin.flush()
            for line in process.stdout:
                if json.loads(line).get("id") == request["id"]:
                    break
            else:
                raise RunError(f"no answer: {_last_words(folder)}")
            cost = _cost(sampler, started)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=GRACE)
    return _measured(sampler, *cost)


def _cost(sampler: Sampler, started: float) -> tuple[float, Totals]:
    wall = time.perf_counter() - started
    return wall, sampler.totals()


def _measured(sampler: Sampler, wall: float, used: Totals) -> Measured:
    return Measured(
        wall, used.cpu, sampler.rss_peak, sampler.pss_peak, used.read, sampler.processes
    )


@contextmanager
def _started(
    command: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    stdin: int,
    stdout: int | IO[bytes],
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Start `command` as the leader of a session, which ends with the block or at LIMIT."""
    with (folder / "stderr").open("wb") as stderr:
        started = time.perf_counter()
        with subprocess.Popen(
            command,
            cwd=folder,
            env=dict(env),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        ) as process:
            limit = threading.Timer(LIMIT, _kill, (process,))
            limit.start()
            try:
                yield process, started
            except RunError as error:
                if limit.is_alive():
                    raise
                raise RunError(f"killed after {LIMIT:.0f} s: {error}") from error
            finally:
                limit.cancel()
                _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and what it started and left behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _last_words(folder: Path) -> str:
    return (folder / "stderr").read_text(errors="replace").strip()[-500:] or "nothing on stderr"
