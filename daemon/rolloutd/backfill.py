"""The one-shot pass over every rollout, and the reconcile that keeps its result true.

Both choose which files to look at; what a file means is the indexer's business.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rolloutd.errors import HomeUnavailable, WorkHeld
from rolloutd.indexer import Indexer
from rolloutd.records import PARSER_VERSION, Reading
from rolloutd.rollout.discovery import Candidate, Discovery, discover
from rolloutd.rollout.messages import Job
from rolloutd.rollout.names import encoding_of, is_archived, order_of
from rolloutd.rollout.pool import ReaderPool
from rolloutd.rollout.session_index import read_session_names
from rolloutd.state import rollouts
from rolloutd.state.database import StateDatabase
from rolloutd.state.home import bind_home, refuse_other_home
from rolloutd.state.lease import BackfillState, Lease, Work, claim, read_state
from rolloutd.state.threads import delete_strays

_POLL_SECONDS = 0.1


class Stopped(Exception):
    """The work was interrupted on request; what was done is kept and the lease given back."""


class Observer(Protocol):
    """Who wants to know how far the work is."""

    def expect(self, files: int, size: int) -> None:
        """So many files, and bytes, are to be looked at."""

    def advance(self, files: int, size: int) -> None:
        """So many more are done."""

    def wait(self, state: BackfillState) -> None:
        """Another worker holds the lease."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found and did.

    Attributes:
        scanned: files looked at.
        upserted: files indexed (a reconcile indexes what has changed only).
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


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms on which the lease is asked for and work is cut up; times in seconds."""

    batch_size: int = 200
    lease_seconds: float = 900
    wait_seconds: float = 30


@dataclass(slots=True)
class _Tally:
    scanned: int = 0
    upserted: int = 0
    failed: int = 0
    removed: int = 0
    bytes: int = 0
    total: int = field(default=0)


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
    ) -> None:
        self._database = database
        self._home = codex_home
        self._provider = default_provider
        self._pool = pool
        self._observer = observer
        self._terms = terms
        self._stopping = stopping
        self._indexer = Indexer(str(codex_home), default_provider)
        self._tally = _Tally()

    def run(self, *, rebuild: bool = False) -> Report:
        """Do the work that there is, once the lease is ours.

        Raises:
            WorkHeld: another worker kept the lease for as long as we wait.
            HomeUnavailable: nothing to read; the state stays pending, with the reason.
            ConfigurationError: the database is another home's.
            LeaseLost: another worker took over; nothing was written after that.
            Stopped: on request.
        """
        began = time.monotonic()
        with self._database.reading() as connection:
            refuse_other_home(connection, str(self._home))
        work, lease = self._obtain(rebuild=rebuild)
        try:
            self._work(lease, work)
        except Stopped:
            lease.release("interrupted")
            raise
        except HomeUnavailable as error:
            lease.release(str(error))
            raise
        return self._report(time.monotonic() - began)

    def _obtain(self, *, rebuild: bool) -> tuple[Work, Lease]:
        deadline = time.monotonic() + self._terms.wait_seconds
        while True:
            with self._database.reading() as connection:
                state = read_state(connection)
            work = Work.RECONCILE if state.status == "complete" else Work.BACKFILL
            work = Work.REBUILD if rebuild else work
            lease = claim(self._database, work, self._terms.lease_seconds)
            if lease is not None:
                return work, lease
            if time.monotonic() >= deadline:
                raise WorkHeld(describe_holder(state))
            self._observer.wait(state)
            if self._stopping():
                raise Stopped
            time.sleep(_POLL_SECONDS)

    def _work(self, lease: Lease, work: Work) -> None:
        discovery = self._discover()
        with lease.transaction() as connection:
            if bind_home(connection, str(self._home), self._provider):
                self._indexer.merge_all(connection)
            self._indexer.store_names(connection, read_session_names(self._home))
        if work is not Work.RECONCILE:
            self._pass(lease, discovery)
            # Files may have changed behind the watermark meanwhile.
            discovery = self._discover()
        self._reconcile(lease, discovery, first=work is Work.RECONCILE)
        with lease.transaction() as connection:
            delete_strays(connection)
            totals = rollouts.totals(connection)
        lease.complete(
            last_watermark=totals.last_path,
            total=totals.indexed + totals.failed,
            scanned=totals.indexed + totals.failed,
            upserted=totals.indexed,
            failed=totals.failed,
        )

    def _discover(self) -> Discovery:
        try:
            discovery = discover(self._home)
        except OSError as error:
            raise HomeUnavailable(f"{self._home}: {error.strerror}") from error
        if not discovery.roots and not self._home.is_dir():
            raise HomeUnavailable(f"{self._home}: no such Codex home")
        if "sessions" not in discovery.roots:
            raise HomeUnavailable(f"{self._home}: there is no sessions/ in it")
        if "sessions" in discovery.unlisted:
            raise HomeUnavailable(f"{self._home}: sessions/ cannot be listed")
        return discovery

    def _pass(self, lease: Lease, discovery: Discovery) -> None:
        with self._database.reading() as connection:
            state = read_state(connection)
        todo: Sequence[Candidate] = discovery.candidates
        if state.last_watermark is not None:
            done = order_of(state.last_watermark)
            todo = [candidate for candidate in todo if order_of(candidate.path) > done]
        tally = self._tally = _Tally(
            scanned=state.scanned,
            upserted=state.upserted,
            failed=state.failed,
            total=len(discovery.candidates),
        )
        self._observer.expect(len(todo), sum(candidate.size for candidate in todo))
        jobs = (Job(each.path, each.size) for each in todo if each.problem is None)
        for batch in self._batches(lease, todo, jobs):
            tally.scanned += len(batch)
            failed = sum(1 for _, reading in batch if reading is not None and reading.error)
            tally.failed += failed
            tally.upserted += sum(1 for _, reading in batch if reading is not None) - failed
            with lease.transaction(
                last_watermark=batch[-1][0].path,
                total=tally.total,
                scanned=tally.scanned,
                upserted=tally.upserted,
                failed=tally.failed,
            ) as connection:
                self._indexer.store(
                    connection,
                    [reading for _, reading in batch if reading is not None],
                    [candidate.path for candidate, reading in batch if reading is None],
                )

    def _reconcile(self, lease: Lease, discovery: Discovery, *, first: bool) -> None:
        with self._database.reading() as connection:
            stamps = rollouts.stamps(connection)
        changed = [
            each for each in discovery.candidates if has_changed(each, stamps.get(each.path))
        ]
        if first:
            self._tally.scanned = len(discovery.candidates)
            self._observer.expect(len(changed), sum(each.size for each in changed))
        for batch in self._batches(lease, changed, self._resumed(changed)):
            if first:
                self._tally.upserted += sum(
                    1 for _, reading in batch if reading is not None and not reading.error
                )
            with lease.transaction() as connection:
                self._indexer.store(
                    connection,
                    [reading for _, reading in batch if reading is not None],
                    [candidate.path for candidate, reading in batch if reading is None],
                )
        # Last, so that a thread whose file has moved is never absent in between.
        present = {candidate.path for candidate in discovery.candidates}
        gone = [path for path in stamps if path not in present and discovery.covers(path)]
        self._tally.removed += len(gone)
        size = self._terms.batch_size
        for start in range(0, len(gone), size):
            with lease.transaction() as connection:
                self._indexer.store(connection, [], gone[start : start + size])

    def _resumed(self, candidates: Iterable[Candidate]) -> Iterator[Job]:
        for candidate in candidates:
            if candidate.problem is None:
                with self._database.reading() as connection:
                    known = rollouts.known(connection, candidate.path)
                yield Job(candidate.path, candidate.size, known)

    def _batches(
        self, lease: Lease, candidates: Sequence[Candidate], jobs: Iterable[Job]
    ) -> Iterator[list[tuple[Candidate, Reading | None]]]:
        """The candidates with their readings, a batch at a time; None for a file that is gone.

        When stopping, a last batch holds what was read by then.
        """

        def tick(taken: int) -> None:
            self._tally.bytes += taken
            self._observer.advance(0, taken)
            lease.renew_if_due()
            if self._stopping():
                raise Stopped

        batch: list[tuple[Candidate, Reading | None]] = []
        results = self._pool.read(jobs, tick)
        try:
            for candidate in candidates:
                if candidate.problem is None:
                    _, reading = next(results)
                else:
                    reading = problem_reading(candidate)
                batch.append((candidate, reading))
                self._observer.advance(1, 0)
                if len(batch) == self._terms.batch_size:
                    yield batch
                    batch = []
        except Stopped:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    def _report(self, seconds: float) -> Report:
        with self._database.reading() as connection:
            state = read_state(connection)
            totals = rollouts.totals(connection)
            failures = rollouts.failures(connection)
        tally = self._tally
        return Report(
            status=state.status,
            scanned=tally.scanned,
            upserted=tally.upserted,
            removed=tally.removed,
            failed=totals.failed,
            parse_errors=totals.parse_errors,
            bytes=tally.bytes,
            seconds=seconds,
            failures=failures,
        )


def has_changed(candidate: Candidate, stamp: rollouts.Stamp | None) -> bool:
    """Whether a file has to be read again, by what its row says of it."""
    if stamp is None or stamp.parser_version != PARSER_VERSION:
        return True
    if candidate.problem is not None:
        return stamp.error != candidate.problem
    return (
        candidate.device,
        candidate.inode,
        candidate.size,
        candidate.mtime_ns,
        candidate.ctime_ns,
    ) != (stamp.device, stamp.inode, stamp.size, stamp.mtime_ns, stamp.ctime_ns)


def problem_reading(candidate: Candidate) -> Reading:
    """The reading of something that cannot be read."""
    path = candidate.path
    return Reading(path, is_archived(path), encoding_of(path), error=candidate.problem)


def describe_holder(state: BackfillState) -> str:
    """Who works, since when, and how far it is."""
    owner = state.owner
    if owner is None:
        return "another process is about to do the work"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since_ms / 1000))
    return (
        f"process {owner.pid} on {owner.host} holds the work since {since}: "
        f"{state.scanned} of {state.total} files scanned"
    )
