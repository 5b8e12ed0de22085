"""Part `idle`: what a daemon costs while nothing happens."""

from __future__ import annotations

import time
from collections.abc import Callable

from .daemon import Daemon, daemon
from .measure import RunError
from .report import MB, Section, Verdict
from .trees import Spec, run_folder, tree

CPU_PERCENT = 0.3
MEMORY = 90 * MB
DEFAULT_SECONDS = 60
LOOK_SECONDS = 0.5


def measure(
    many: Spec, periods: int, reconcile_seconds: int | None, say: Callable[[str], None]
) -> Section:
    """Measure whole periods of reconciling, after a start with and one without a backfill.

    What the daemon has read and written before stays in its memory, so both are looked at.
    """
    measured = tree(many)
    said = Section("idle", f"beside {measured.files:,} files, {measured.bytes / MB:,.0f} MB")
    said.columns = ("", "seconds", "% of a core", "waits/s", "RSS MB", "PSS MB")
    options = () if reconcile_seconds is None else (f"--reconcile-seconds={reconcile_seconds}",)
    figures = {}
    with run_folder() as folder:
        for start in ("after its backfill", "after a restart"):
            with daemon(measured.home, folder, *options) as running:
                say(f"{start}: it starts")
                running.wait_ready()
                bound = 3 * (reconcile_seconds or DEFAULT_SECONDS)
                reconciled = _next_reconcile(running, bound)
                before, began = running.totals(), time.perf_counter()
                for number in range(1, periods + 1):
                    say(f"{start}: period {number} of {periods}")
                    reconciled = _next_reconcile(running, bound, reconciled)
                used, seconds = running.totals(), time.perf_counter() - began
                percent = (used.cpu - before.cpu) / seconds * 100
                waits = (used.switches - before.switches) / seconds
                rss, pss = running.rss(), running.pss()
            said.rows.append(
                (
                    start,
                    f"{seconds:.0f}",
                    f"{percent:.2f}",
                    f"{waits:.0f}",
                    f"{rss / MB:.0f}",
                    f"{pss / MB:.0f}",
                )
            )
            said.verdicts += [
                Verdict(f"{start}: % of a core", percent, CPU_PERCENT),
                Verdict(f"{start}: resident memory, MB", rss / MB, MEMORY / MB),
            ]
            figures[start] = {
                "seconds": seconds,
                "core_percent": percent,
                "waits_per_second": waits,
                "rss": rss,
                "pss": pss,
            }
    if reconcile_seconds is not None:
        said.notes.append(f"reconciling every {reconcile_seconds} s, not every {DEFAULT_SECONDS}")
        said.verdicts = [each for each in said.verdicts if "core" not in each.what]
    said.figures = figures
    return said


def _next_reconcile(running: Daemon, bound: float, last: int | None = None) -> int:
    """Wait until it says that it has reconciled, again if `last` is given; return when that was."""
    deadline = time.monotonic() + bound
    first = last
    while time.monotonic() < deadline:
        running.see_alive()
        state = running.state()
        if state is not None and state.last_reconcile_ms is not None:
            if first is None:
                first = state.last_reconcile_ms
            elif state.last_reconcile_ms != first:
                return state.last_reconcile_ms
        time.sleep(LOOK_SECONDS)
    raise RunError(f"no reconcile within {bound} s")
