"""The counters: each is there from the start, and counts what it is told of."""

from typing import get_args

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from rolloutd.meter import UNMETERED, Drift, Meter, Outcome, Stage
from rolloutd.metrics.work import WorkMetrics
from tests.metrics.samples import Samples, samples_of, series


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def work(registry: CollectorRegistry) -> WorkMetrics:
    return WorkMetrics(registry)


def samples(registry: CollectorRegistry) -> Samples:
    """Those that are not 0, without the buckets and the library's own."""
    found = samples_of(generate_latest(registry).decode())
    return {
        each: value
        for each, value in found.items()
        if value and not each[0].endswith(("_created", "_bucket"))
    }


def tell(meter: Meter) -> None:
    """Everything that there is to be told."""
    meter.read(1000)
    meter.stored(3, 2, 0.5)
    meter.removed(4)
    meter.lagged(0.25)
    meter.passed(5, 1)
    for outcome in get_args(Outcome):
        meter.backfilled(outcome, 2.0)
    meter.took_over()
    meter.reconciled(0.125)
    for kind in get_args(Drift):
        meter.drifted(kind, 6)
    meter.lost_events()
    meter.waited()
    for stage in get_args(Stage):
        meter.failed(stage)


def test_each_is_told_apart(registry: CollectorRegistry, work: WorkMetrics) -> None:
    assert samples(registry) == {}
    there = samples_of(generate_latest(registry).decode()).keys()
    tell(work)
    assert samples_of(generate_latest(registry).decode()).keys() == there
    expected = {
        series("read_bytes_total"): 1000,
        series("upserts_total", result="indexed"): 3,
        series("upserts_total", result="failed"): 2,
        series("upserts_total", result="removed"): 4,
        series("indexing_duration_seconds_count"): 1,
        series("indexing_duration_seconds_sum"): 0.5,
        series("index_lag_seconds_count"): 1,
        series("index_lag_seconds_sum"): 0.25,
        series("backfill_rollouts_total", status="upserted"): 5,
        series("backfill_rollouts_total", status="failed"): 1,
        series("backfill_lease_takeovers_total"): 1,
        series("reconcile_duration_seconds_count"): 1,
        series("reconcile_duration_seconds_sum"): 0.125,
        series("events_lost_total"): 1,
        series("database_busy_retries_total"): 1,
    }
    for outcome in get_args(Outcome):
        expected[series("backfill_duration_seconds_count", status=outcome)] = 1
        expected[series("backfill_duration_seconds_sum", status=outcome)] = 2
    for kind in get_args(Drift):
        expected[series("reconcile_drift_total", kind=kind)] = 6
    for stage in get_args(Stage):
        # Files that failed were not read for what they are, either.
        expected[series("errors_total", stage=stage)] = 3 if stage == "read" else 1
    assert samples(registry) == expected


def test_rows_that_were_written_or_dropped_are_known(work: WorkMetrics) -> None:
    tell(work)
    assert work.committed == 9


def test_nobody_needs_to_count() -> None:
    tell(UNMETERED)
