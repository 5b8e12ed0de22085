"""Part `growth`: whether the time for a file, and for a byte, stays what it is as they grow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from .backfill import memory_verdict, middle_of
from .contestants import PlainReading, Rolloutd
from .measure import Measured, warm
from .report import MB, Section, Verdict
from .trees import Spec, Tree, run_folder, tree

FLAT = 1.2
"""How much longer a file, or a byte, may take in a tree that is many times larger."""
COLUMNS = ("", "wall s", "CPU s", "us/file", "ns/byte", "x plain", "peak MB", "PSS MB")


def grow(
    title: str, specs: Sequence[Spec], runs: int, say: Callable[[str], None], *, by_file: bool
) -> Section:
    """Backfill each tree `runs` times, and compare the last with the one before or the first.

    With `by_file` the times for a file are compared, of the two largest trees: in small ones the
    start of the program is most of the time. Otherwise those for a byte, of the first and last.
    """
    said = Section("growth", title, COLUMNS)
    found: list[tuple[Tree, Measured]] = []
    figures = {}
    for wanted in specs:
        say(f"tree {wanted.name}")
        measured = tree(wanted)
        ours: list[Measured] = []
        plain: list[Measured] = []
        for number in range(1, runs + 1):
            say(f"{measured.name}, run {number} of {runs}")
            for contestant, results in ((Rolloutd(), ours), (PlainReading(), plain)):
                with run_folder() as folder:
                    warm(measured.home)
                    results.append(contestant.run(measured, folder))
        middle, limit = middle_of(ours), middle_of(plain)
        assert middle is not None
        assert limit is not None
        found.append((measured, middle))
        figures[measured.name] = {
            "files": measured.files,
            "bytes": measured.bytes,
            "median": asdict(middle),
            "plain": asdict(limit),
        }
        said.rows.append(
            (
                f"{measured.files:,} files, {measured.bytes / MB:,.0f} MB",
                f"{middle.wall:.2f}",
                f"{middle.cpu:.2f}",
                f"{middle.wall / measured.files * 1e6:,.0f}",
                f"{middle.wall / measured.bytes * 1e9:.2f}",
                f"{middle.wall / limit.wall:.2f}",
                f"{middle.rss_peak / MB:,.0f}",
                f"{middle.pss_peak / MB:,.0f}",
            )
        )
    said.figures = figures
    said.verdicts = [_flat(found, by_file=by_file)]
    said.verdicts += [memory_verdict(max((each for _, each in found), key=lambda m: m.rss_peak))]
    return said


def _flat(found: Sequence[tuple[Tree, Measured]], *, by_file: bool) -> Verdict:
    small, small_cost = found[-2] if by_file else found[0]
    large, large_cost = found[-1]
    ratio = large_cost.wall / small_cost.wall
    if by_file:
        what = f"{large.files:,} files, of the time of {small.files:,}"
        return Verdict(what, ratio, FLAT * large.files / small.files)
    what = f"{large.bytes / MB:,.0f} MB, of the time of {small.bytes / MB:,.0f} MB"
    return Verdict(what, ratio, FLAT * large.bytes / small.bytes)
