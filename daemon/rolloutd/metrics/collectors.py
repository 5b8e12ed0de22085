"""All that the daemon's registry collects beside the work."""

from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from rolloutd.condition import Condition
from rolloutd.metrics.content import ContentCollector
from rolloutd.metrics.vitals import VitalsCollector
from rolloutd.metrics.work import WorkMetrics


def register_collectors(
    registry: CollectorRegistry,
    work: WorkMetrics,
    condition: Condition,
    database: Path,
    stopping: Callable[[], bool],
) -> None:
    """How the daemon is, what the database holds, and the process's own numbers."""

    def written() -> tuple[int, int] | None:
        # While it follows, it holds the lease, and nobody else is to write.
        progress = condition.progress
        return (progress.strangers, work.committed) if progress.phase == "following" else None

    registry.register(VitalsCollector(condition, database))
    registry.register(
        ContentCollector(
            database, written=written, failed=lambda: work.failed("database"), stopping=stopping
        )
    )
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
