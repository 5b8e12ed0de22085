"""How much is measured: all of it, or a little of everything."""

from __future__ import annotations

from dataclasses import dataclass

from .trees import SPECS, Spec, spec


@dataclass(frozen=True, slots=True)
class Scale:
    """Trees, numbers and seconds of every part.

    Attributes:
        runs: of each contestant, of each size, of each start.
        backfill: trees on which everyone is run.
        grown_files: trees of more and more small files.
        grown_bytes: trees of one file, larger and larger.
        large: the tree whose one file is appended to.
        appends: to each file.
        many: the tree beside which the daemon idles, and is started again.
        periods: of reconciling, while it idles; `reconcile_seconds` each, None for the default.
        writers, lines_per_second, load_seconds: the load.
        threads: the tree on whose index queries are run.
        queries: how often each is asked.
    """

    runs: int
    backfill: tuple[Spec, ...]
    grown_files: tuple[Spec, ...]
    grown_bytes: tuple[Spec, ...]
    large: Spec
    appends: int
    many: Spec
    periods: int
    reconcile_seconds: int | None
    writers: int
    lines_per_second: float
    load_seconds: float
    threads: Spec
    queries: int


FULL = Scale(
    runs=5,
    backfill=tuple(SPECS.values()),
    grown_files=tuple(spec(f"{files}x20000") for files in (1_000, 10_000, 50_000)),
    grown_bytes=(SPECS["C"], spec("1x2000000000"), spec("1x4000000000")),
    large=SPECS["C"],
    appends=250,
    many=SPECS["B"],
    periods=2,
    reconcile_seconds=None,
    writers=50,
    lines_per_second=20,
    load_seconds=60,
    threads=spec("100000x2000"),
    queries=50,
)
QUICK = Scale(
    runs=1,
    backfill=(spec("400x50000"),),
    grown_files=(spec("200x20000"), spec("1000x20000")),
    grown_bytes=(spec("1x50000000"), spec("1x100000000")),
    large=spec("1x100000000"),
    appends=20,
    many=spec("1000x20000"),
    periods=1,
    reconcile_seconds=5,
    writers=10,
    lines_per_second=20,
    load_seconds=5,
    threads=spec("1000x2000"),
    queries=10,
)
"""Minutes rather than an hour: whether everything still runs. Its figures say little."""
