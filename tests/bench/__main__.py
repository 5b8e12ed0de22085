"""`python -m tests.bench`: measure, print the report, and exit 1 if a target is missed."""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from rich.console import Console

from . import backfill, growth, idle, latency, load, queries, restart, soak
from .contestants import contestants
from .measure import RunError
from .report import Section, document, show
from .scale import FULL, QUICK, Scale
from .trees import Spec, cache_folder, forget, spec, tree

REPORT = Path("build/bench.json")


@dataclass(frozen=True, slots=True)
class Bench:
    """What was asked for, and how to say what is being done."""

    scale: Scale
    only: tuple[str, ...]
    soak_minutes: float
    seed: int
    say: Callable[[str], None]


Part: TypeAlias = Callable[[Bench], Iterator[Section]]


def _backfill(bench: Bench) -> Iterator[Section]:
    bench.say("looking for the releases of Codex, and for agentsview")
    there, missing = contestants()
    there = [one for one in there if one.name in (bench.only or [one.name])]
    for wanted in bench.scale.backfill:
        bench.say(f"tree {wanted.name}, in {cache_folder()}")
        results = backfill.measure(tree(wanted), there, missing, bench.scale.runs, bench.say)
        yield backfill.section(results)


def _growth(bench: Bench) -> Iterator[Section]:
    scale = bench.scale
    runs = (scale.runs + 1) // 2
    yield growth.grow("more files", scale.grown_files, runs, bench.say, by_file=True)
    yield growth.grow("a larger file", scale.grown_bytes, runs, bench.say, by_file=False)


def _latency(bench: Bench) -> Iterator[Section]:
    yield latency.measure(bench.scale.large, bench.scale.appends, bench.say)


def _idle(bench: Bench) -> Iterator[Section]:
    scale = bench.scale
    yield idle.measure(scale.many, scale.periods, scale.reconcile_seconds, bench.say)


def _load(bench: Bench) -> Iterator[Section]:
    scale = bench.scale
    yield load.measure(scale.writers, scale.lines_per_second, scale.load_seconds, bench.say)


def _restart(bench: Bench) -> Iterator[Section]:
    yield restart.measure(bench.scale.many, bench.scale.runs, bench.say)


def _queries(bench: Bench) -> Iterator[Section]:
    yield from queries.measure(bench.scale.threads, bench.scale.queries, bench.say)


def _soak(bench: Bench) -> Iterator[Section]:
    yield soak.measure(bench.soak_minutes, bench.seed, bench.say)


PARTS: Mapping[str, Part] = {
    "backfill": _backfill,
    "growth": _growth,
    "latency": _latency,
    "idle": _idle,
    "load": _load,
    "restart": _restart,
    "queries": _queries,
}
"""In the order in which they are run. `soak` is run when it is asked for."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; return the exit code: 1 if a target was missed or rolloutd failed."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not sys.platform.startswith("linux"):
        parser.error("this needs /proc as Linux has it")
    console = Console(width=None if sys.stdout.isatty() else 110)
    if options.forget:
        console.print(f"removed {forget() / 1e9:.1f} GB of trees from {cache_folder()}")
        return 0
    scale = QUICK if options.quick else FULL
    scale = replace(
        scale,
        runs=options.runs or scale.runs,
        backfill=tuple(options.tree or scale.backfill),
    )
    wanted = options.part or (["backfill"] if options.tree else list(PARTS))
    parts = {name: part for name, part in PARTS.items() if name in wanted}
    if options.soak:
        parts = {**parts, "soak": _soak} if options.part else {"soak": _soak}
    sections: list[Section] = []
    for name, part in parts.items():
        with console.status(name, refresh_per_second=1) as status:
            only = tuple(options.only or ())
            bench = Bench(scale, only, options.soak, options.seed, status.update)
            for section in _sections(name, part, bench):
                sections.append(section)
                show(section, console)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(document(sections), indent=2) + "\n", "utf-8")
    console.print(f"All figures: {options.json}", highlight=False)
    return int(not all(section.good for section in sections))


def _sections(name: str, part: Part, bench: Bench) -> Iterator[Section]:
    """Yield what a part has to say; that rolloutd failed in it is something to say, too."""
    try:
        yield from part(bench)
    except RunError as error:
        yield Section(name, "broken off", failures=[str(error)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--part",
        action="extend",
        type=_parts,
        metavar="NAMES",
        help=f"of {','.join(PARTS)}, separated by commas (default: all)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="a little of everything, in some minutes"
    )
    parser.add_argument(
        "--tree",
        action="append",
        type=_spec,
        metavar="NAME",
        help="of the backfill: A, B, C, or FILESxBYTES such as 1000x20000; may be repeated",
    )
    parser.add_argument("--runs", type=int, help=f"of each (default: {FULL.runs})")
    parser.add_argument("--only", action="append", metavar="NAME", help="of the contestants")
    parser.add_argument(
        "--soak",
        type=float,
        default=0.0,
        metavar="MINUTES",
        help="a daemon under a mixed load for so long; alone, unless there is a --part",
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1 << 32), help="of the soak (default: any)"
    )
    parser.add_argument(
        "--json", type=Path, default=REPORT, metavar="FILE", help=f"(default: {REPORT})"
    )
    parser.add_argument(
        "--forget", action="store_true", help="remove the trees that are kept, and do nothing else"
    )
    return parser


def _parts(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in PARTS:
            raise argparse.ArgumentTypeError(f"{name}: not one of {', '.join(PARTS)}")
    return names


def _spec(name: str) -> Spec:
    try:
        return spec(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
