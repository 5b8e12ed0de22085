"""What the worker has done, counted as it tells of it."""

from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Histogram

from rolloutd.meter import Drift, Outcome, Stage

_LAG_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_RECONCILE_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_INDEXING_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BACKFILL_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 1800, 3600, 7200)


class WorkMetrics:
    """A `Meter`; all of its series are there from the start.

    Attributes:
        committed: files whose rows were written or dropped so far: as long as nobody else writes,
            what the database holds is the same while this is.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.committed = 0
        self._passed = Counter(
            "rolloutd_backfill_rollouts_total",
            "Files that backfills of this process have read and committed.",
            ["status"],
            registry=registry,
        )
        self._backfills = Histogram(
            "rolloutd_backfill_duration_seconds",
            "How long backfills took, by how they ended.",
            ["status"],
            buckets=_BACKFILL_SECONDS,
            registry=registry,
        )
        self._takeovers = Counter(
            "rolloutd_backfill_lease_takeovers_total",
            "Times that the work was taken from a worker that was gone or hung.",
            registry=registry,
        )
        self._errors = Counter(
            "rolloutd_errors_total",
            "Errors that the daemon lives with, by where they occur.",
            ["stage"],
            registry=registry,
        )
        self._lag = Histogram(
            "rolloutd_index_lag_seconds",
            "From a file's last change to the commit of its row.",
            buckets=_LAG_SECONDS,
            registry=registry,
        )
        self._reconciles = Histogram(
            "rolloutd_reconcile_duration_seconds",
            "How long it took to compare every file with its row.",
            buckets=_RECONCILE_SECONDS,
            registry=registry,
        )
        self._drift = Counter(
            "rolloutd_reconcile_drift_total",
            "Files that a periodic reconcile found changed without an event.",
            ["kind"],
            registry=registry,
        )
        self._upserts = Counter(
            "rolloutd_upserts_total",
            "Rows of files written, or removed with their files.",
            ["result"],
            registry=registry,
        )
        self._read = Counter(
            "rolloutd_read_bytes_total",
            "Bytes of rollouts read, counted decompressed.",
            registry=registry,
        )
        self._batches = Histogram(
            "rolloutd_indexing_duration_seconds",
            "How long a batch of files took, from reading to commit.",
            buckets=_INDEXING_SECONDS,
            registry=registry,
        )
        self._lost = Counter(
            "rolloutd_events_lost_total",
            "Times that file events may have been lost.",
            registry=registry,
        )
        self._waits = Counter(
            "rolloutd_database_busy_retries_total",
            "Times that the database was locked by another process for too long.",
            registry=registry,
        )
        self._create_series()

    def _create_series(self) -> None:
        for status in ("upserted", "failed"):
            self._passed.labels(status)
        for outcome in get_args(Outcome):
            self._backfills.labels(outcome)
        for stage in get_args(Stage):
            self._errors.labels(stage)
        for kind in get_args(Drift):
            self._drift.labels(kind)
        for result in ("indexed", "failed", "removed"):
            self._upserts.labels(result)

    def read(self, size: int) -> None:
        """See `Meter`."""
        self._read.inc(size)

    def stored(self, indexed: int, failed: int, seconds: float) -> None:
        """See `Meter`."""
        self.committed += indexed + failed
        self._upserts.labels("indexed").inc(indexed)
        self._upserts.labels("failed").inc(failed)
        self._errors.labels("read").inc(failed)
        self._batches.observe(seconds)

    def removed(self, files: int) -> None:
        """See `Meter`."""
        self.committed += files
        self._upserts.labels("removed").inc(files)

    def lagged(self, seconds: float) -> None:
        """See `Meter`."""
        self._lag.observe(seconds)

    def passed(self, indexed: int, failed: int) -> None:
        """See `Meter`."""
        self._passed.labels("upserted").inc(indexed)
        self._passed.labels("failed").inc(failed)

    def backfilled(self, outcome: Outcome, seconds: float) -> None:
        """See `Meter`."""
        self._backfills.labels(outcome).observe(seconds)

    def took_over(self) -> None:
        """See `Meter`."""
        self._takeovers.inc()

    def reconciled(self, seconds: float) -> None:
        """See `Meter`."""
        self._reconciles.observe(seconds)

    def drifted(self, kind: Drift, files: int) -> None:
        """See `Meter`."""
        self._drift.labels(kind).inc(files)

    def lost_events(self) -> None:
        """See `Meter`."""
        self._lost.inc()

    def waited(self) -> None:
        """See `Meter`."""
        self._waits.inc()

    def failed(self, stage: Stage) -> None:
        """See `Meter`."""
        self._errors.labels(stage).inc()
