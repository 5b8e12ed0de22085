"""Part `load`: many sessions that write at once, followed by one daemon."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from .consumer import Consumer, consumer
from .daemon import Daemon, daemon
from .measure import RunError
from .report import MB, Section, Verdict
from .statistic import percentile, spread
from .trees import run_folder, spec, tree
from .truth import see_true
from .writers import FIRST

LAG_P99_MS = 300
SETTLE_SECONDS = 10.0
LOOK_SECONDS = 0.002
MEMORY_SECONDS = 1.0
UUID = 36

Seen: TypeAlias = list[tuple[float, dict[str, int]]]
"""When what was seen of the threads' tokens."""


def measure(writers: int, rate: float, seconds: float, say: Callable[[str], None]) -> Section:
    """Let them write for so many seconds, and see when each line was in the database."""
    said = Section("load", f"{writers} writers, {rate:g} lines a second each, for {seconds:g} s")
    said.columns = ("", "lines", "CPU %", "lag p50 ms", "p99 ms", "most ms", "peak MB", "read MB")
    with run_folder() as folder:
        home = folder / "codex"
        shutil.copytree(tree(spec(f"{writers}x20000")).home, home)
        paths = sorted(map(str, home.rglob("*.jsonl")))
        with daemon(home, folder) as running:
            running.wait_ready()
            with consumer(running.database) as reading:
                say(f"writing for {seconds:g} s")
                before, began = running.totals(), time.perf_counter()
                load = {"paths": paths, "rate": rate, "seconds": seconds}
                written, seen, peak = _watch(running, reading, load, folder)
                used, passed = running.totals(), time.perf_counter() - began
            say("comparing with a fresh backfill")
            see_true(home, running.database)
    found = list(lags(written, seen))
    percent = (used.cpu - before.cpu) / passed * 100
    p99 = percentile(found, 0.99) * 1000
    said.rows.append(
        (
            "the daemon",
            f"{len(found):,}",
            f"{percent:.1f}",
            f"{percentile(found, 0.5) * 1000:.0f}",
            f"{p99:.0f}",
            f"{max(found) * 1000:.0f}",
            f"{peak / MB:.0f}",
            f"{(used.read - before.read) / MB:.1f}",
        )
    )
    said.notes.append("every row equals a fresh backfill's at the end")
    said.verdicts.append(Verdict("lag of a line, p99, ms", p99, LAG_P99_MS))
    said.figures = {
        "lines": len(found),
        "core_percent": percent,
        "lag_seconds": spread(found),
        "rss_peak": peak,
        "read": used.read - before.read,
    }
    return said


def _watch(
    running: Daemon, reading: Consumer, load: Mapping[str, object], folder: Path
) -> tuple[dict[str, list[float]], Seen, int]:
    """Run the writers; return what they wrote, what was seen of it, the daemon's peak memory."""
    seen: Seen = [(time.monotonic(), reading.tokens())]
    peak = 0
    due = deadline = 0.0
    written: dict[str, list[float]] = {}
    command = [sys.executable, "-m", "tests.bench.writers"]
    with (
        (folder / "written").open("w+b") as output,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output) as writers,
    ):
        try:
            assert writers.stdin is not None
            with writers.stdin as order:
                order.write(json.dumps(load).encode())
            while not written or not _is_all(written, seen):
                if reading.has_changed():
                    seen.append((time.monotonic(), reading.tokens()))
                elif (now := time.monotonic()) >= due:
                    peak, due = max(peak, running.rss()), now + MEMORY_SECONDS
                elif not written and writers.poll() is not None:
                    written = json.loads((folder / "written").read_bytes())
                    deadline = now + SETTLE_SECONDS
                elif written and now > deadline:
                    raise RunError(f"lines not in the database {SETTLE_SECONDS} s after the last")
                else:
                    time.sleep(LOOK_SECONDS)
        finally:
            writers.kill()
    return {_thread_of(path): times for path, times in written.items()}, seen, peak


def _is_all(written: Mapping[str, Sequence[float]], seen: Seen) -> bool:
    tokens = seen[-1][1]
    return all(tokens[_thread_of(path)] == FIRST - 1 + len(at) for path, at in written.items())


def _thread_of(path: str) -> str:
    return Path(path).stem[-UUID:]


def lags(written: Mapping[str, Sequence[float]], seen: Seen) -> Iterator[float]:
    """Yield for each line, whose thread it is and when it was written, the seconds until seen."""
    for thread_id, times in written.items():
        line = 0
        for at, tokens in seen:
            while line < len(times) and tokens[thread_id] >= FIRST + line:
                yield at - times[line]
                line += 1
