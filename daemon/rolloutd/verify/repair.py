"""Repair: whoever holds the lease reads again what is wrong, and writes it through the indexer.

Rows that the files contradict, though their stamps do not, are marked first, so that no worker
builds upon them. Marking takes nothing from a worker, so it needs no lease: a reading that was
begun before the mark may write over it, and the next comparison finds that row again. All else is
a reconcile: the daemon's, if one runs here, else our own.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rolloutd.backfill import Backfill, describe_holder
from rolloutd.batches import Observer, Stopped, Terms
from rolloutd.errors import WorkHeld
from rolloutd.instance import DaemonState, running_daemon
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state import rollouts, tally
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import read_state
from rolloutd.verify.findings import Verdict, subject
from rolloutd.verify.verification import Verification

_ROUNDS = 3
_MARKED_AT_ONCE = 500
_POLL_SECONDS = 0.1


class Rebuilt(Struct, frozen=True):
    """A corrupt database was built anew: why, and where the old one lies now, if we moved it."""

    problem: str
    moved_to: str | None


class Verified(Struct, frozen=True):
    """What was found, and what was left of it in the end.

    Attributes:
        left: the verdict after repairing; None if nothing was to be repaired.
        daemon: process id of the daemon, if that is who repaired.
        rebuilt: set if there was first to be a new database, which is what was looked at then.
    """

    found: Verdict
    left: Verdict | None = None
    daemon: int | None = None
    rebuilt: Rebuilt | None = None

    def after_rebuilding(self, problem: str, moved_to: str | None) -> "Verified":
        """The same, of a database that was built anew before."""
        return replace(self, rebuilt=Rebuilt(problem, moved_to))

    @property
    def is_true(self) -> bool:
        """Whether the database says what the files say, by now."""
        return not (self.left or self.found).drift


class Repair:
    """Has put right what verdicts tell."""

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

    def run(self, verification: Verification) -> Verified:
        """Compare and repair until there is nothing left, or nothing more becomes of it.

        Raises:
            As `Verification.run`, and `WorkHeld` as `repair`.
        """
        found = left = verification.run()
        daemon = None
        for _ in range(_ROUNDS):
            if not left.drift:
                break
            before = left
            daemon = self.repair(before)
            left = verification.run()
            if set(map(subject, left.drift)) == set(map(subject, before.drift)):
                break
        return Verified(found, None if left is found else left, daemon)

    def repair(self, verdict: Verdict) -> int | None:
        """Repair once, and return the daemon's process id if that is who did it.

        Raises:
            WorkHeld: somebody else holds the work and cannot be asked, or does not do it.
            Stopped: on request; what is marked stays so.
        """
        marked = verdict.distrusted()
        for start in range(0, len(marked), _MARKED_AT_ONCE):
            with self._database.transaction() as connection:
                rollouts.distrust(connection, marked[start : start + _MARKED_AT_ONCE])
        daemon = running_daemon(self._database.path)
        if daemon is None:
            Backfill(
                self._database,
                self._home,
                self._provider,
                self._pool,
                self._observer,
                terms=self._terms,
                stopping=self._stopping,
            ).run()
            return None
        self._ask(daemon)
        self._wait_for(daemon)
        return daemon.pid

    def _ask(self, daemon: DaemonState) -> None:
        """Have the daemon look at everything; it must be the process that holds the lease."""
        with self._database.reading() as connection:
            state = read_state(connection)
        owner = state.owner
        # Its number may be another process's, where it lives in another container.
        if owner is None or owner.pid != daemon.pid or not owner.is_certainly_here():
            raise WorkHeld(
                f"a daemon that cannot be asked keeps this database: {describe_holder(state)}; "
                "stop it, or run this where it runs"
            )
        try:
            os.kill(owner.pid, signal.SIGHUP)
        except OSError as error:
            raise WorkHeld(
                f"the daemon, process {owner.pid}, cannot be asked: {error.strerror}"
            ) from error

    def _wait_for(self, daemon: DaemonState) -> None:
        asked_ms = time.time_ns() // 1_000_000
        left = None
        deadline = time.monotonic()
        while True:
            now = running_daemon(self._database.path)
            with self._database.reading() as connection:
                marked = tally.count_distrusted(connection)
            if now is None or now.pid != daemon.pid:
                raise WorkHeld(f"the daemon, process {daemon.pid}, ended before all was repaired")
            if (now.last_reconcile_ms or 0) > asked_ms:
                return
            if left is None or marked < left:
                left = marked
                deadline = time.monotonic() + self._terms.wait_seconds
            if time.monotonic() >= deadline:
                problem = f": {now.problem}" if now.problem else ""
                raise WorkHeld(
                    f"the daemon, process {daemon.pid}, has not repaired this yet "
                    f"({now.phase}{problem}); {marked} files are to be read again"
                )
            if self._stopping():
                raise Stopped
            time.sleep(_POLL_SECONDS)
