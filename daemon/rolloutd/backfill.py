"""The one-shot, lease-claimed pass over every rollout.

It chooses which files to look at; what a file means is the indexer's business.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rolloutd.batches import Batches, Observer, Stopped, Terms, readings_of
from rolloutd.errors import DatabaseUnavailable, HomeUnavailable, WorkHeld
from rolloutd.home_discovery import discover_all
from rolloutd.indexer import Indexer
from rolloutd.meter import UNMETERED, Meter, Outcome
from rolloutd.reconcile import Reconcile, Reconciled
from rolloutd.rollout.discovery import Candidate, Discovery
from rolloutd.rollout.messages import Job
from rolloutd.rollout.names import order_of
from rolloutd.rollout.pool import ReaderPool
from rolloutd.rollout.session_index import read_session_names
from rolloutd.state import tally
from rolloutd.state.database import StateDatabase
from rolloutd.state.home import refuse_other_home
from rolloutd.state.lease import BackfillState, Lease, LeaseLost, Work, claim, read_state
from rolloutd.state.threads import delete_strays

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found and did.

    Attributes:
        scanned: files looked at; of an interrupted pass, by the runs before this one too.
        upserted: files indexed, likewise (a reconcile indexes what has changed only).
        removed: files whose rows were dropped.
        failed: files that hold no thread, over the whole database; `failures` says why.
        parse_errors: lines skipped, over the whole database.
        bytes: bytes read by this run.
        seconds: how long it took.
    """

    status: str
    scanned: int
    upserted: int
    removed: int
    failed: int
    parse_errors: int
    bytes: int
    seconds: float
    failures: list[tuple[str, str]]


class Backfill:
    """One run of the pass, or of a reconcile where the pass is complete."""

    def __init__(
        self,
        database: StateDatabase,
        codex_home: Path,
        default_provider: str,
        pool: ReaderPool,
        observer: Observer,
        *,
        terms: Terms,
        stopping: Callable[[], bool],
        meter: Meter = UNMETERED,
    ) -> None:
        self._database = database
        self._home = codex_home
        self._pool = pool
        self._observer = observer
        self._terms = terms
        self._stopping = stopping
        self._meter = meter
        self._indexer = Indexer(str(codex_home), default_provider)
        self._batches = Batches(pool, observer, terms.batch_size, stopping, meter=meter)
        self._reconcile = Reconcile(database, self._indexer, self._batches, observer, meter)

    def run(self, *, rebuild: bool = False) -> Report:
        """Do the work that there is, once the lease is ours.

        Raises:
            WorkHeld: another worker kept the lease for as long as we wait, or took it over from
                us; nothing was written after that.
            HomeUnavailable: nothing to read; the state stays pending, with the reason.
            ConfigurationError: the database is another home's.
            DatabaseUnavailable: it cannot be used, or was taken away meanwhile.
            Stopped: on request.
        """
        began = time.monotonic()
        with self._database.reading() as connection:
            refuse_other_home(connection, str(self._home))
        if rebuild:
            self._discover(Work.REBUILD)  # Nothing is thrown away for a home that is not there.
        work, lease = self._obtain(rebuild=rebuild)
        obtained = time.monotonic()
        try:
            with lease.kept():
                done = self._work(lease, work)
        except Stopped:
            lease.release("interrupted")
            raise
        except HomeUnavailable as error:
            lease.release(str(error))
            raise
        except DatabaseUnavailable:
            self._ended(work, "failed", obtained)
            raise
        except LeaseLost as error:
            self._ended(work, "failed", obtained)
            with self._database.reading() as connection:
                raise WorkHeld(f"taken over: {describe_holder(read_state(connection))}") from error
        report = self._report(done, time.monotonic() - began)
        self._database.refuse_other_file()
        self._ended(work, "partial_failure" if report.failed else "success", obtained)
        return report

    def _ended(self, work: Work, outcome: Outcome, obtained: float) -> None:
        seconds = time.monotonic() - obtained
        if work is not Work.RECONCILE:
            self._meter.backfilled(outcome, seconds)
        elif outcome != "failed":
            self._meter.reconciled(seconds)

    def _obtain(self, *, rebuild: bool) -> tuple[Work, Lease]:
        deadline = time.monotonic() + self._terms.wait_seconds
        while True:
            with self._database.reading() as connection:
                state = read_state(connection)
            work = Work.RECONCILE if state.status == "complete" else Work.BACKFILL
            work = Work.REBUILD if rebuild else work
            lease = claim(self._database, work, self._terms.lease_seconds, self._terms.owner)
            if lease is not None:
                if lease.was_held:
                    self._meter.took_over()
                return work, lease
            if time.monotonic() >= deadline:
                raise WorkHeld(describe_holder(state))
            self._observer.wait(state)
            if self._stopping():
                raise Stopped
            time.sleep(_POLL_SECONDS)

    def _work(self, lease: Lease, work: Work) -> Reconciled:
        self._indexer.forget()  # Another worker may have written since.
        discovery = self._discover(work)
        names = self._session_names()
        # Known at once, how much there is to do: the first batch may take a while.
        told = {} if work is Work.RECONCILE else {"total": len(discovery.candidates)}
        with lease.transaction(**told) as connection:
            self._indexer.bind(connection)
            if names is not None:
                self._indexer.store_names(connection, names)
        passed = None
        if work is not Work.RECONCILE:
            passed = self._pass(lease, discovery)
            # What is read from here on is little: the memory is better used by the second look.
            self._pool.end()
            # Files may have changed behind the watermark meanwhile.
            del discovery
            discovery = self._discover(work)
        if work is Work.REBUILD:
            discovery = discovery.with_every_root()
        reconciled = self._reconcile.run(
            lease,
            discovery,
            leaves_outdated=self._terms.leaves_outdated,
            keeps_hidden=work is not Work.REBUILD,
        )
        self._complete(lease)
        if passed is None:
            return reconciled
        return Reconciled(passed.scanned, passed.scanned, passed.upserted, reconciled.removed)

    def _complete(self, lease: Lease) -> None:
        with lease.transaction() as connection:
            delete_strays(connection)
            progress = tally.totals(connection).progress
        lease.complete(**progress)

    def _session_names(self) -> dict[str, str] | None:
        try:
            return read_session_names(self._home)
        except OSError as error:
            _log.warning("the session index cannot be read: %s", error.strerror)
            self._meter.failed("names")
            return None

    def _discover(self, work: Work) -> Discovery:
        # What is hidden is what a rebuild is to drop.
        rows_of = None if work is Work.REBUILD else self._database
        return discover_all(self._home, self._observer.looking, rows_of)

    def _pass(self, lease: Lease, discovery: Discovery) -> BackfillState:
        """Index all that lies behind the last watermark; returns how far that got."""
        with self._database.reading() as connection:
            state = read_state(connection)
        todo: Sequence[Candidate] = discovery.candidates
        if state.last_watermark is not None:
            done = order_of(state.last_watermark)
            todo = [candidate for candidate in todo if order_of(candidate.path) > done]
        unread = sum(candidate.size for candidate in todo)
        self._observer.expect(len(todo), unread)
        scanned, upserted, failed = state.scanned, state.upserted, state.failed
        jobs = (Job(each.path, each.size) for each in todo if each.problem is None)
        for batch in self._batches.read(todo, jobs, unread):
            readings = readings_of(batch)
            scanned += len(batch)
            failures = sum(reading.error is not None for reading in readings)
            upserted += len(readings) - failures
            failed += failures
            with lease.transaction(
                last_watermark=batch[-1].candidate.path,
                total=len(discovery.candidates),
                scanned=scanned,
                upserted=upserted,
                failed=failed,
            ) as connection:
                # Whether what has vanished is gone for good is for the reconcile to say.
                self._indexer.store(connection, readings)
            self._meter.passed(len(readings) - failures, failures)
        with self._database.reading() as connection:
            return read_state(connection)

    def _report(self, done: Reconciled, seconds: float) -> Report:
        with self._database.reading() as connection:
            status = read_state(connection).status
            totals = tally.totals(connection)
            failures = tally.failures(connection)
        return Report(
            status=status,
            scanned=done.scanned,
            upserted=done.upserted,
            removed=done.removed,
            failed=totals.failed,
            parse_errors=totals.parse_errors,
            bytes=self._batches.taken,
            seconds=seconds,
            failures=failures,
        )


def describe_holder(state: BackfillState) -> str:
    """Who works, since when, and how far it is."""
    owner = state.owner
    if owner is None:
        return "another process is writing to the database"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since_ms / 1000))
    done = f"{state.scanned} of {state.total} files scanned"
    if state.status == "complete":
        done = "looking for what has changed"
    return f"process {owner.pid} on {owner.host} holds the work since {since}: {done}"
