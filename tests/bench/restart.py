"""Part `restart`: how soon a daemon is ready again where nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from .daemon import daemon
from .report import MB, Section, Verdict
from .trees import Spec, run_folder, tree

READY_SECONDS = 1.5


def measure(many: Spec, runs: int, say: Callable[[str], None]) -> Section:
    """Start one `runs` times on a database that is true."""
    measured = tree(many)
    said = Section("restart", f"beside {measured.files:,} unchanged files")
    said.columns = ("", "runs", "ready s", "min-max", "CPU s", "read MB")
    seconds, cpus, reads = [], [], []
    with run_folder() as folder:
        say("the backfill")
        with daemon(measured.home, folder) as running:
            running.wait_ready()
        for number in range(1, runs + 1):
            say(f"run {number} of {runs}")
            with daemon(measured.home, folder) as running:
                seconds.append(running.wait_ready())
                used = running.totals()
                cpus.append(used.cpu)
                reads.append(used.read)
    middle = median(seconds)
    said.rows.append(
        (
            "from its start until it follows",
            str(runs),
            f"{middle:.2f}",
            f"{min(seconds):.2f}-{max(seconds):.2f}",
            f"{median(cpus):.2f}",
            f"{median(reads) / MB:.0f}",
        )
    )
    said.verdicts.append(Verdict("ready, s", middle, READY_SECONDS))
    said.figures = {"seconds": seconds, "cpu": cpus, "read": reads}
    return said
