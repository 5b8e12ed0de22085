"""`python -m tests.torture`: so many minutes, kills and mutated files; exit 1 if a row was lost."""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.torture.corpus import corpus
from tests.torture.episodes import EPISODES, missing
from tests.torture.mutated import Readers
from tests.torture.room import Room

_FILES_AT_ONCE = 2000


@dataclass
class Report:
    """What was done, how long each kind took, and which episodes failed."""

    done: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        """Add what another one says."""
        self.done += other.done
        self.seconds += other.seconds
        self.failed += other.failed

    def tell(self) -> None:
        """Print it on one line."""
        done = ", ".join(f"{count} {what}" for what, count in sorted(self.done.items()))
        print(f"{self.seconds.total()} s: {done}", flush=True)


class Chamber:
    """Runs episodes, each on a seed of its own, which repeats it."""

    def __init__(self, seed: int, contents: Sequence[bytes], folder: Path) -> None:
        self.seed = seed
        self._contents = contents
        self._folder = folder

    def run(self, name: str, number: int) -> Report:
        """One episode; what fails is told, with its place left for a look."""
        began = time.monotonic()
        root = self._folder / f"{name}-{number}"
        root.mkdir()
        rng = random.Random(f"{self.seed} {name} {number}")
        report = Report()
        try:
            if name == "mutated":
                Readers(root, rng, self._contents).run(_FILES_AT_ONCE)
                report.done["mutated files read"] += _FILES_AT_ONCE
            else:
                self._in_a_room(name, root, rng, report)
        except Exception:  # noqa: BLE001 - the edge that reports, whatever it was
            report.failed.append(f"{name} {number}")
            print(f"FAILED: {name}, episode {number}, seed {self.seed}; left in {root}")
            traceback.print_exc(file=sys.stdout)
        else:
            shutil.rmtree(root)
        report.done[name] += 1
        report.seconds[name] += round(time.monotonic() - began)
        return report

    def _in_a_room(self, name: str, root: Path, rng: random.Random, report: Report) -> None:
        room = Room(root, rng, self._contents)
        try:
            EPISODES[name](room)
            room.ends_well()
        finally:
            report.done += room.counts

    def round(self, names: Sequence[str], number: int, jobs: int) -> Iterator[Report]:
        """One episode of each kind, so many at a time, as they end."""
        if jobs == 1:
            yield from (self.run(name, number) for name in names)
            return
        # By forking: what episodes are made from is megabytes, and the same for all.
        fork = get_context("fork")
        with ProcessPoolExecutor(jobs, fork, initializer=_inherit, initargs=(self,)) as pool:
            runs = [pool.submit(_run, name, number) for name in names]
            for run in as_completed(runs):
                yield run.result()


_inherited: list[Chamber] = []


def _inherit(chamber: Chamber) -> None:
    _inherited.append(chamber)


def _run(name: str, number: int) -> Report:
    return _inherited[-1].run(name, number)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chamber; return the exit code, 1 if anything did not hold."""
    names = ["mutated", *EPISODES]
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long at least (default: 5)")
    parser.add_argument("--kills", type=int, default=0, help="go on for so many kills")
    parser.add_argument("--files", type=int, default=0, help="go on for so many mutated files")
    parser.add_argument("--seed", type=int, help="repeats a run (default: another one each time)")
    parser.add_argument("--only", action="append", choices=names, help="may be repeated")
    parser.add_argument("--episode", type=int, help="only the one of this number, of each kind")
    parser.add_argument("--no-releases", action="store_true", help="without rollouts of real Codex")
    parser.add_argument("--jobs", type=int, default=1, help="episodes at a time (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().getrandbits(32) if options.seed is None else options.seed
    print(f"seed {seed}")
    contents = corpus(random.Random(seed), releases=not options.no_releases)
    print(f"{len(contents)} rollouts to start from")
    chosen = _at_hand(options.only or names)
    chamber = Chamber(seed, contents, Path(tempfile.mkdtemp(prefix="rolloutd-torture-")))
    deadline = time.monotonic() + 60 * options.minutes
    number = options.episode or 0
    report = Report()
    while True:
        for part in chamber.round(chosen, number, options.jobs):
            report.add(part)
        report.tell()
        number += 1
        enough = (
            time.monotonic() >= deadline
            and report.done["kills"] >= options.kills
            and report.done["mutated files read"] >= options.files
        )
        if enough or options.episode is not None:
            break
    if options.json:
        document = {"seed": seed, **vars(report)}
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    print(f"{len(report.failed)} failed" if report.failed else "nothing was lost or invented")
    return int(bool(report.failed))


def _at_hand(names: Sequence[str]) -> list[str]:
    chosen = []
    for name in names:
        reason = missing(name)
        if reason is None:
            chosen.append(name)
        else:
            print(f"left out: {name}: {reason}")
    return chosen


if __name__ == "__main__":
    sys.exit(main())
