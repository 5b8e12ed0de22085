"""Part `backfill`: everyone on the same trees, in turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median

from .contestants import CODEX_NEW, CODEX_OLD, PLAIN, ROLLOUTD, Contestant, Rolloutd
from .measure import Measured, RunError, warm
from .report import MB, Section, Verdict
from .trees import Tree, run_folder

ENOUGH_SECONDS = 60.0
"""Who takes longer than this is run once."""
MEMORY = 100 * MB
"""Peak resident memory, summed over all processes of a backfill."""
FLOOR = "rolloutd on an empty home"
COLUMNS = (
    "", "runs", "wall s", "min-max", "CPU s", "x plain", "x 0.169", "x 0.130",
    "peak MB", "PSS MB", "read MB",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """What rolloutd has promised of a tree, as multiples of others' times."""

    of_codex: float
    of_plain: float | None


TARGETS = {"A": Target(1 / 6, 4), "B": Target(1 / 8, None), "C": Target(1 / 4, 4)}


@dataclass(frozen=True, slots=True)
class Results:
    """All runs on one tree, by contestant; of those who have none, the reason."""

    tree: Tree
    runs: dict[str, list[Measured]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def middle(self, name: str) -> Measured | None:
        """Return the medians of a contestant, each of its own; of memory the highest peak."""
        return middle_of(self.runs.get(name, []))

    def ratio(self, name: str, other: str) -> float | None:
        """Return the wall time of one contestant as a multiple of another's."""
        one, two = self.middle(name), self.middle(other)
        return one.wall / two.wall if one and two else None

    def above_floor(self) -> float | None:
        """Return rolloutd's time beyond what it takes on an empty home, of plain reading's."""
        ours, floor, plain = map(self.middle, (ROLLOUTD, FLOOR, PLAIN))
        return (ours.wall - floor.wall) / plain.wall if ours and floor and plain else None

    def verdicts(self) -> Iterator[Verdict]:
        """Yield the targets of this tree that can be judged by these runs."""
        ours = self.middle(ROLLOUTD)
        if ours is None:
            return
        if target := TARGETS.get(self.tree.name):
            if (ratio := self.ratio(ROLLOUTD, CODEX_NEW)) is not None:
                yield Verdict(f"part of the time of {CODEX_NEW}", ratio, target.of_codex)
            if target.of_plain and (ratio := self.ratio(ROLLOUTD, PLAIN)) is not None:
                yield Verdict("times plain reading", ratio, target.of_plain)
        yield memory_verdict(ours)


def memory_verdict(measured: Measured) -> Verdict:
    """Return whether a backfill kept within its memory."""
    return Verdict("peak memory over all processes, MB", measured.rss_peak / MB, MEMORY / MB)


def middle_of(runs: Sequence[Measured]) -> Measured | None:
    """Return the median of each figure; of memory the highest peak."""
    if not runs:
        return None
    return Measured(
        wall=median(run.wall for run in runs),
        cpu=median(run.cpu for run in runs),
        rss_peak=max(run.rss_peak for run in runs),
        pss_peak=max(run.pss_peak for run in runs),
        read=int(median(run.read for run in runs)),
        processes=max(run.processes for run in runs),
    )


def measure(
    tree: Tree,
    there: Sequence[Contestant],
    missing: Mapping[str, str],
    runs: int,
    say: Callable[[str], None],
) -> Results:
    """Let everyone run in turn, `runs` times, so that noise hits all alike.

    One who fails is not asked again on this tree, and has no figures on it.
    """
    results = Results(tree, {one.name: [] for one in there}, dict(missing))
    for number in range(1, runs + 1):
        for one in there:
            done = results.runs[one.name]
            if one.name in results.left_out or (done and done[0].wall > ENOUGH_SECONDS):
                continue
            say(f"{tree.name}, run {number} of {runs}: {one.name}")
            with run_folder() as folder:
                warm(tree.home)
                try:
                    done.append(one.run(tree, folder))
                except RunError as error:
                    done.clear()
                    results.left_out[one.name] = str(error)
                    if one.name == ROLLOUTD:
                        results.failures.append(str(error))
        if ROLLOUTD in results.runs:
            with run_folder() as folder:
                home = folder / "codex"
                (home / "sessions").mkdir(parents=True)
                nothing = Rolloutd().run(Tree(FLOOR, home, 0, 0), folder)
                results.runs.setdefault(FLOOR, []).append(nothing)
    return results


def section(results: Results) -> Section:
    """Return what is to be reported of one tree."""
    tree = results.tree
    said = Section("backfill", f"{tree.name}: {tree.files} files, {tree.bytes / MB:,.0f} MB")
    said.columns = COLUMNS
    for name, runs in results.runs.items():
        if middle := results.middle(name):
            walls = [run.wall for run in runs]
            ratios = [results.ratio(name, other) for other in (PLAIN, CODEX_NEW, CODEX_OLD)]
            said.rows.append(
                (
                    name,
                    str(len(runs)),
                    f"{middle.wall:.2f}",
                    f"{min(walls):.2f}-{max(walls):.2f}",
                    f"{middle.cpu:.2f}",
                    *("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
                    f"{middle.rss_peak / MB:,.0f}",
                    f"{middle.pss_peak / MB:,.0f}",
                    f"{middle.read / MB:,.0f}",
                )
            )
    if (above := results.above_floor()) is not None:
        said.notes.append(
            f"rolloutd beyond what it takes on an empty home: {above:.2f} times plain reading"
        )
    said.left_out = results.left_out
    said.failures = results.failures
    said.verdicts = list(results.verdicts())
    middles = {name: results.middle(name) for name in results.runs}
    said.figures = {
        "files": tree.files,
        "bytes": tree.bytes,
        "medians": {name: asdict(middle) for name, middle in middles.items() if middle},
        "rolloutd_ratio": {
            other: results.ratio(ROLLOUTD, other) for other in (PLAIN, CODEX_NEW, CODEX_OLD)
        },
        "above_floor_of_plain": above,
        "runs": {name: [asdict(run) for run in runs] for name, runs in results.runs.items()},
    }
    return said
