"""What the runs say: medians, ratios, targets; as tables, and as one JSON document."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from .contestants import CODEX_NEW, CODEX_OLD, PLAIN, ROLLOUTD
from .measure import Measured
from .trees import Tree

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """What rolloutd has promised of a tree: part of Codex 0.169.0's time; peak memory, bytes."""

    of_codex: float
    rss_peak: int


TARGETS = {
    "A": Target(1 / 4, 120 * MB),
    "B": Target(1 / 5, 120 * MB),
    "C": Target(1 / 3, 120 * MB),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target, what came out, and whether that will do."""

    what: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        """Whether the value is within the target."""
        return self.value <= self.most


@dataclass(frozen=True, slots=True)
class Results:
    """All runs on one tree, by contestant; of those who have none, the reason."""

    tree: Tree
    runs: dict[str, list[Measured]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def middle(self, name: str) -> Measured | None:
        """Return the medians of a contestant, each of its own; of memory the highest peak."""
        if not (runs := self.runs.get(name)):
            return None
        return Measured(
            wall=median(run.wall for run in runs),
            cpu=median(run.cpu for run in runs),
            rss_peak=max(run.rss_peak for run in runs),
            pss_peak=max(run.pss_peak for run in runs),
            read=int(median(run.read for run in runs)),
            processes=max(run.processes for run in runs),
        )

    def ratio(self, name: str, other: str) -> float | None:
        """Return the wall time of one contestant as a multiple of another's."""
        one, two = self.middle(name), self.middle(other)
        return one.wall / two.wall if one and two else None

    def verdicts(self) -> Iterator[Verdict]:
        """Yield the targets of this tree that can be judged by these runs."""
        target, ours = TARGETS.get(self.tree.name), self.middle(ROLLOUTD)
        if target is None or ours is None:
            return
        if (ratio := self.ratio(ROLLOUTD, CODEX_NEW)) is not None:
            yield Verdict(f"part of the time of {CODEX_NEW}", ratio, target.of_codex)
        yield Verdict("peak memory, MB", ours.rss_peak / MB, target.rss_peak / MB)


def show(results: Results, console: Console) -> None:
    """Print the table of one tree, and the verdicts under it."""
    tree = results.tree
    table = Table(
        "", "wall s", "min-max", "CPU s", "x plain", "x 0.169", "x 0.130",
        "peak MB", "PSS MB", "read MB",
        box=SIMPLE, pad_edge=False, collapse_padding=True,
        title=f"{tree.name}: {tree.files} files, {tree.bytes / MB:,.0f} MB",
        title_justify="left",
    )  # fmt: skip
    for column in table.columns:
        column.no_wrap = True
        column.justify = "right" if column.header else "left"
    for name in results.runs:
        if middle := results.middle(name):
            walls = [run.wall for run in results.runs[name]]
            ratios = [results.ratio(name, other) for other in (PLAIN, CODEX_NEW, CODEX_OLD)]
            table.add_row(
                name,
                f"{middle.wall:.2f}",
                f"{min(walls):.2f}-{max(walls):.2f}",
                f"{middle.cpu:.2f}",
                *("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
                f"{middle.rss_peak / MB:,.0f}",
                f"{middle.pss_peak / MB:,.0f}",
                f"{middle.read / MB:,.0f}",
            )
    if table.row_count:
        console.print(table)
    for name, reason in results.failures.items():
        console.print(f"  [yellow]left out[/] {name}: ", end="")
        console.print(reason, markup=False)
    for verdict in results.verdicts():
        word = "[green]pass[/]" if verdict.met else "[red]FAIL[/]"
        console.print(f"  {word} {verdict.what}: {verdict.value:.3g}, at most {verdict.most:.3g}")
    console.print()


def document(all_results: Sequence[Results]) -> Mapping[str, object]:
    """Return everything as one JSON document; seconds and bytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {
            "system": platform.platform(),
            "cpus": os.cpu_count(),
            "memory": memory,
            "python": platform.python_version(),
        },
        "trees": [_tree_document(results) for results in all_results],
    }


def _tree_document(results: Results) -> Mapping[str, object]:
    tree = results.tree
    middles = {name: results.middle(name) for name in results.runs}
    return {
        "name": tree.name,
        "files": tree.files,
        "bytes": tree.bytes,
        "medians": {name: asdict(middle) for name, middle in middles.items() if middle},
        "rolloutd_ratio": {
            other: results.ratio(ROLLOUTD, other) for other in (PLAIN, CODEX_NEW, CODEX_OLD)
        },
        "targets": [{**asdict(verdict), "met": verdict.met} for verdict in results.verdicts()],
        "left_out": results.failures,
        "runs": {name: [asdict(run) for run in runs] for name, runs in results.runs.items()},
    }
