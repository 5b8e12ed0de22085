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
from collections.abc import Sequence
from pathlib import Path

from tests.torture.corpus import corpus
from tests.torture.episodes import EPISODES, missing
from tests.torture.mutated import Readers
from tests.torture.room import Room

_FILES_AT_ONCE = 2000


class Chamber:
    """Runs episodes in turn, each on a seed of its own, which repeats it."""

    def __init__(self, seed: int, contents: Sequence[bytes], folder: Path) -> None:
        self.seed = seed
        self.done: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.failed: list[str] = []
        self._contents = contents
        self._folder = folder

    def run(self, name: str, number: int, files: int) -> None:
        """One episode; what fails is told, with its place left for a look."""
        began = time.monotonic()
        root = self._folder / f"{name}-{number}"
        root.mkdir()
        rng = random.Random(f"{self.seed} {name} {number}")
        try:
            if name == "mutated":
                Readers(root, rng, self._contents).run(files)
                self.done["mutated files read"] += files
            else:
                self._in_a_room(name, root, rng)
        except Exception:  # noqa: BLE001 - the edge that reports, whatever it was
            self.failed.append(f"{name} {number}")
            print(f"FAILED: {name}, episode {number}, seed {self.seed}; left in {root}")
            traceback.print_exc(file=sys.stdout)
        else:
            shutil.rmtree(root)
        self.done[name] += 1
        self.seconds[name] += round(time.monotonic() - began)

    def _in_a_room(self, name: str, root: Path, rng: random.Random) -> None:
        room = Room(root, rng, self._contents)
        try:
            EPISODES[name](room)
            room.ends_well()
        finally:
            self.done += room.counts

    def document(self) -> dict[str, object]:
        """What was done, for `--json`."""
        return {
            "seed": self.seed,
            "done": dict(self.done),
            "seconds": dict(self.seconds),
            "failed": self.failed,
        }


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
    while True:
        for name in chosen:
            chamber.run(name, number, _FILES_AT_ONCE)
        number += 1
        enough = (
            time.monotonic() >= deadline
            and chamber.done["kills"] >= options.kills
            and chamber.done["mutated files read"] >= options.files
        )
        if enough or options.episode is not None:
            break
        _tell(chamber)
    _tell(chamber)
    if options.json:
        options.json.write_text(json.dumps(chamber.document(), indent=2) + "\n")
    print(f"{len(chamber.failed)} failed" if chamber.failed else "nothing was lost or invented")
    return int(bool(chamber.failed))


def _at_hand(names: Sequence[str]) -> list[str]:
    chosen = []
    for name in names:
        reason = missing(name)
        if reason is None:
            chosen.append(name)
        else:
            print(f"left out: {name}: {reason}")
    return chosen


def _tell(chamber: Chamber) -> None:
    done = ", ".join(f"{count} {what}" for what, count in sorted(chamber.done.items()))
    print(f"{sum(chamber.seconds.values())} s: {done}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
