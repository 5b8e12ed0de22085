"""Part `latency`: from an append to the visible row, and what an append costs to read."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from .consumer import Consumer, consumer
from .daemon import Daemon, daemon
from .lines import line_now, token_count
from .report import MB, Section, Verdict
from .statistic import percentile, spread
from .trees import Spec, run_folder, spec, tree

SMALL = spec("1x20000")
PAUSE_SECONDS = 0.4
"""At most so long after one append is visible the next one follows, so as to fall anywhere."""
P99_MS = 250
READ_KIB = 64
UUID = 36
TOKENS = 1_000_000_000_000
"""More than any tree's thread has used: from here the appends count."""


@dataclass(frozen=True, slots=True)
class Append:
    """One line: its bytes, seconds until its row was visible, bytes that the daemon read for it."""

    size: int
    seconds: float
    read: int


def measure(large: Spec, appends: int, say: Callable[[str], None]) -> Section:
    """Append to a large and a small rollout beside one daemon."""
    said = Section("latency", "from an append to the visible row")
    said.columns = ("", "appends", "p50 ms", "p99 ms", "most ms", "read/append", "most read")
    with run_folder() as folder:
        home = folder / "codex"
        paths = {}
        for wanted in (large, SMALL):
            say(f"tree {wanted.name}")
            measured = tree(wanted)
            shutil.copytree(measured.home, home, dirs_exist_ok=True)
            (path,) = measured.home.rglob("*.jsonl")
            paths[f"rollout of {_size(measured.bytes)}"] = home / path.relative_to(measured.home)
        say("the daemon starts")
        with daemon(home, folder) as running:
            running.wait_ready()
            with consumer(running.database) as reading:
                for name, path in paths.items():
                    say(name)
                    done = appended(running, reading, path, appends)
                    _report(said, name, done)
    return said


def appended(running: Daemon, reading: Consumer, path: Path, count: int) -> list[Append]:
    """Append lines one by one, each once the one before is visible."""
    rng = random.Random(path.name)
    thread_id = path.stem[-UUID:]
    found = []
    with path.open("ab", buffering=0) as file:
        for number in range(1, count + 1):
            time.sleep(rng.uniform(0, PAUSE_SECONDS))
            line = line_now(token_count(TOKENS + number))
            before = running.totals().read
            began = time.perf_counter()
            file.write(line)
            seconds = reading.wait_for(thread_id, TOKENS + number) - began
            found.append(Append(len(line), seconds, running.totals().read - before))
    return found


def _report(said: Section, name: str, done: list[Append]) -> None:
    times = [each.seconds for each in done]
    beyond = [each.read - each.size for each in done]
    p99 = percentile(times, 0.99)
    said.rows.append(
        (
            name,
            str(len(done)),
            f"{median(times) * 1000:.0f}",
            f"{p99 * 1000:.0f}",
            f"{max(times) * 1000:.0f}",
            f"{median(each.read for each in done):,.0f}",
            f"{max(each.read for each in done):,}",
        )
    )
    said.verdicts += [
        Verdict(f"{name}: p99, ms", p99 * 1000, P99_MS),
        Verdict(f"{name}: read beyond an append, KiB, on average", _mean(beyond) / 1024, READ_KIB),
    ]
    said.figures = {
        **said.figures,
        name: {
            "seconds": spread(times),
            "read_beyond": spread(beyond),
            "appends": [asdict(each) for each in done],
        },
    }


def _size(size: int) -> str:
    return f"{size / MB:,.0f} MB" if size >= MB else f"{size / 1000:.0f} kB"


def _mean(values: list[int]) -> float:
    return sum(values) / len(values)
