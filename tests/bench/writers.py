"""`python -m tests.bench.writers`: many sessions that write at a steady rate, in a process of
their own.

Standard input: one JSON document, `paths`, `rate` (lines a second of each), `seconds`. Standard
output: for each path the monotonic times at which its lines were written, in their order; the
first line has used `FIRST` tokens, each one more than the line before.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import sys
import time
from collections.abc import Sequence

from .lines import line_now, token_count

FIRST = 1_000_000_000_001


def write(paths: Sequence[str], rate: float, seconds: float) -> dict[str, list[float]]:
    """Write until the time is over; each writer has a phase of its own."""
    rng = random.Random(0)
    files = [os.open(path, os.O_WRONLY | os.O_APPEND) for path in paths]
    written: list[list[float]] = [[] for _ in paths]
    began = time.monotonic()
    due = [(began + rng.uniform(0, 1 / rate), index) for index in range(len(paths))]
    heapq.heapify(due)
    while due:
        at, index = due[0]
        if at >= began + seconds:
            break
        if (wait := at - time.monotonic()) > 0:
            time.sleep(wait)
        line = line_now(token_count(FIRST + len(written[index])))
        written[index].append(time.monotonic())
        os.write(files[index], line)
        heapq.heapreplace(due, (at + 1 / rate, index))
    for file in files:
        os.close(file)
    return dict(zip(paths, written, strict=True))


if __name__ == "__main__":
    json.dump(write(**json.load(sys.stdin)), sys.stdout)
