"""How the daemon is at the moment of the question, and which one it is."""

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from rolloutd import __version__
from rolloutd.condition import Condition
from rolloutd.readiness import Phase
from rolloutd.records import PARSER_VERSION
from rolloutd.state.revision import HEAD
from rolloutd.watch import Mode


class VitalsCollector:
    """Asks the parts; that costs nothing while nobody asks."""

    def __init__(self, condition: Condition, database: Path) -> None:
        self._condition = condition
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """Everything, each time."""
        state = self._condition.state()
        yield _one_of(
            "rolloutd_phase",
            "1 for what the daemon is doing, 0 for the rest.",
            "phase",
            get_args(Phase),
            state.phase,
        )
        yield GaugeMetricFamily(
            "rolloutd_ready",
            "1 if the index can be relied on now, as /readyz says.",
            value=self._condition.why_not_ready() is None,
        )
        yield _one_of(
            "rolloutd_watcher_mode",
            "1 for how changes are noticed: file events, or polling.",
            "mode",
            get_args(Mode),
            state.watch,
        )
        yield CounterMetricFamily(
            "rolloutd_watcher_restarts_total",
            "Times that the watch had to be armed again.",
            value=state.watch_restarts,
        )
        yield GaugeMetricFamily(
            "rolloutd_last_event_timestamp_seconds",
            "When a file event last came; 0 before the first.",
            value=_seconds(state.last_event_ms),
        )
        yield GaugeMetricFamily(
            "rolloutd_last_reconcile_success_timestamp_seconds",
            "When every file was last compared with its row; 0 before the first time.",
            value=_seconds(state.last_reconcile_ms),
        )
        yield GaugeMetricFamily(
            "rolloutd_queue_depth",
            "Files and directories waiting to be looked at.",
            value=state.queue,
        )
        yield self._sizes()
        yield self._build()

    def _sizes(self) -> Metric:
        gauge = GaugeMetricFamily(
            "rolloutd_database_bytes",
            "Size of the database and of its write-ahead log.",
            labels=["file"],
        )
        for file, ending in (("main", ""), ("wal", "-wal")):
            gauge.add_metric([file], _size(self._database.with_name(self._database.name + ending)))
        return gauge

    def _build(self) -> Metric:
        gauge = GaugeMetricFamily(
            "rolloutd_build_info",
            "Always 1; the labels say what is running.",
            labels=["version", "python", "schema", "parser"],
        )
        gauge.add_metric([__version__, platform.python_version(), HEAD, str(PARSER_VERSION)], 1)
        return gauge


def _one_of(
    name: str, meaning: str, label: str, values: tuple[str, ...], current: str
) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, meaning, labels=[label])
    for value in values:
        gauge.add_metric([value], value == current)
    return gauge


def _seconds(milliseconds: int | None) -> float:
    return (milliseconds or 0) / 1000


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
