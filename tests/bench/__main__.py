"""`python -m tests.bench`: measure, print the tables, and exit 1 if a target is missed."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from .contestants import Contestant, contestants
from .measure import RunError, warm
from .report import Results, document, show
from .trees import SPECS, Spec, Tree, cache_folder, spec, tree


def measure(
    measured: Tree,
    there: Sequence[Contestant],
    missing: Mapping[str, str],
    runs: int,
    console: Console,
) -> Results:
    """Let everyone run in turn, `runs` times, so that noise hits all alike.

    One who fails is not asked again on this tree, and has no figures on it.
    """
    results = Results(measured, {one.name: [] for one in there}, dict(missing))
    with console.status("", refresh_per_second=1) as status:
        for number in range(1, runs + 1):
            for one in there:
                if one.name in results.failures:
                    continue
                status.update(f"{measured.name}, run {number} of {runs}: {one.name}")
                with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".run-") as folder:
                    warm(measured.home)
                    try:
                        results.runs[one.name].append(one.run(measured, Path(folder)))
                    except RunError as error:
                        results.failures[one.name] = str(error)
                        results.runs[one.name].clear()
    return results


def _spec(name: str) -> Spec:
    try:
        return spec(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench; return the exit code: 1 if a target was missed or rolloutd failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--tree",
        action="append",
        type=_spec,
        metavar="NAME",
        help="A, B, C, or FILESxBYTES such as 1000x20000; may be repeated (default: A B C)",
    )
    parser.add_argument("--runs", type=int, default=5, help="of each contestant (default: 5)")
    parser.add_argument("--only", action="append", metavar="NAME", help="of the contestants")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there too")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 100)
    if not sys.platform.startswith("linux"):
        parser.error("this needs /proc as Linux has it")
    specs: list[Spec] = options.tree or list(SPECS.values())
    with console.status("Looking for the releases of Codex"):
        there, missing = contestants()
    there = [one for one in there if one.name in (options.only or [one.name])]
    all_results = []
    for wanted in specs:
        with console.status(f"Tree {wanted.name}, in {cache_folder()}"):
            measured = tree(wanted)
        all_results.append(measure(measured, there, missing, options.runs, console))
        show(all_results[-1], console)
    if options.json:
        options.json.write_text(json.dumps(document(all_results), indent=2) + "\n", "utf-8")
    missed = any(not verdict.met for results in all_results for verdict in results.verdicts())
    return int(missed or any("rolloutd" in results.failures for results in all_results))


if __name__ == "__main__":
    sys.exit(main())
