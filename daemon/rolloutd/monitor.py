"""The worker of the daemon: keeps one database true, for as long as it is let.

One thread does all of it: opens the database, has the backfill done, then stays in the steady
state. What goes wrong with the database or the home is waited out here, and nowhere else.
"""

import errno
import logging
from dataclasses import replace

from rolloutd.backfill import Backfill, describe_holder
from rolloutd.batches import Stopped
from rolloutd.errors import DatabaseRefused, DatabaseUnavailable, HomeUnavailable, WorkHeld
from rolloutd.hints import Mailbox
from rolloutd.meter import UNMETERED, Meter
from rolloutd.readiness import Phase
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state import tally
from rolloutd.state.database import StateDatabase
from rolloutd.state.faults import CorruptDatabase, DatabaseBusy, DatabaseReplaced
from rolloutd.state.file import identity_of, set_aside
from rolloutd.state.lease import BackfillState, Lease, LeaseLost, Work, claim
from rolloutd.state.process import Owner
from rolloutd.steady import Keeping, Steady
from rolloutd.telling import Progress

_log = logging.getLogger(__name__)

_WAIT_SECONDS = 1.0
_BACKOFF_SECONDS = (0.1, 5.0)
_HELD_UP = ("waiting", "failing")
# Another process's transaction is waited for only so long at a time: we may have to stop.
_PATIENCE_SECONDS = 0.5


class Monitor:
    """Keeps the database true until it is asked to stop; an `Observer` of its own work."""

    def __init__(
        self, keeping: Keeping, mailbox: Mailbox, progress: Progress, meter: Meter = UNMETERED
    ) -> None:
        self._keeping = keeping
        self._mailbox = mailbox
        self._progress = progress
        self._meter = meter
        # One claim for the daemon's life: what it held before an error, it may go on with.
        self._owner = Owner.this_process()
        self._said: set[str] = set()
        self._was_open = False
        self._opened: tuple[int, int] | None = None
        self._backoff = _BACKOFF_SECONDS[0]

    def run(self) -> None:
        """Keep on; returns once asked to stop.

        Raises:
            RolloutdError: what waiting would not mend.
        """
        try:
            while not self._mailbox.stopping:
                self._attempt()
        except Stopped:
            pass

    def _attempt(self) -> None:
        file = identity_of(self._keeping.database)
        try:
            self._open()
        except (LeaseLost, DatabaseReplaced) as error:
            self._fail(error)
        except CorruptDatabase as error:
            self._fail(error)
            # What was not there may have been made meanwhile, by us.
            self._set_aside(file or self._opened)
            self._pause()
        except DatabaseUnavailable as error:
            # Another process may have moved it aside while we opened it.
            is_same = file is None or identity_of(self._keeping.database) == file
            if is_same and not self._may_pass(error):
                raise
            self._fail(error)
            self._pause()

    def _open(self) -> None:
        with StateDatabase.open_writer(
            self._keeping.database, patience=_PATIENCE_SECONDS, waited=self._meter.waited
        ) as database:
            self._was_open = True
            self._opened = identity_of(self._keeping.database)
            try:
                self._keep(database)
            except Stopped:
                database.checkpoint()
                raise

    def _keep(self, database: StateDatabase) -> None:
        seconds = self._keeping.terms.lease_seconds
        with ReaderPool(str(self._keeping.codex_home)) as pool:
            lease = None
            while lease is None:
                self._backfill(database, pool)
                lease = claim(database, Work.RECONCILE, seconds, self._owner)
            if lease.was_held:
                self._meter.took_over()
            pool.end()
            self._follow(database, pool, lease)

    def _follow(self, database: StateDatabase, pool: ReaderPool, lease: Lease) -> None:
        self._progress.strangers += 1
        self._progress.looking_since = None
        self._well()
        # What a backfill has left in the log would be read through it by every reconcile.
        database.checkpoint()
        with database.reading() as connection:
            outdated = tally.count_outdated(connection)
        if outdated:
            _log.info("another version has read %d files: reading them again", outdated)
            self._mailbox.ask_reconcile(urgent=True)
        self._enter("following")
        with lease.kept():
            Steady(
                database,
                self._keeping,
                pool,
                lease,
                self._mailbox,
                self,
                progress=self._progress,
                meter=self._meter,
            ).run()

    def _backfill(self, database: StateDatabase, pool: ReaderPool) -> None:
        """Have the backfill done, however long we have to wait for it."""
        keeping = self._keeping
        backfill = Backfill(
            database,
            keeping.codex_home,
            keeping.default_provider,
            pool,
            self,
            terms=replace(keeping.terms, wait_seconds=_WAIT_SECONDS, owner=self._owner),
            stopping=lambda: self._mailbox.stopping,
            meter=self._meter,
        )
        while True:
            self._enter("backfill")
            try:
                report = backfill.run()
            except HomeUnavailable as error:
                pool.end()
                self._wait("home", str(error), said=error.why)
                self._mailbox.wait(_WAIT_SECONDS)
            except WorkHeld:
                pass  # `wait` has said so.
            else:
                _log.info(
                    "the database is true: %d files, %d indexed now, %d failed, in %.1f s",
                    report.scanned,
                    report.upserted,
                    report.failed,
                    report.seconds,
                )
                self._progress.rollouts = report.scanned
                self._progress.reconciled_in(report.seconds)
                return
            if self._mailbox.stopping:
                raise Stopped
            database.refuse_other_file()

    def looking(self) -> None:
        """See `Observer`."""
        self._progress.beat()

    def expect(self, files: int, size: int) -> None:  # noqa: ARG002
        """See `Observer`."""
        self._progress.expect(files)
        if self._progress.phase in _HELD_UP:
            self._change("backfill")  # What it waited for is there.

    def advance(self, files: int, size: int) -> None:
        """See `Observer`."""
        self._progress.advance(files, size)
        self._progress.tell(False)

    def wait(self, state: BackfillState) -> None:
        """See `Observer`."""
        if state.owner is not None and state.owner.token == self._owner.token:
            state = replace(state, owner=None)  # It is the database that another one has.
        if state.owner is None and self._progress.phase == "failing":
            self._progress.beat()  # That has been said.
        else:
            self._wait("worker", describe_holder(state))

    def _wait(self, topic: str, problem: str, said: str | None = None) -> None:
        self._say(topic, f"waiting: {said or problem}")
        self._progress.problem = problem
        self._enter("waiting")

    def _enter(self, phase: Phase) -> None:
        # Trying again is what there is to be done where something has to be waited for.
        self._progress.beat()
        if phase == "backfill" and self._progress.phase in _HELD_UP:
            return  # It is tried again, and will mostly end as before.
        self._change(phase)

    def _change(self, phase: Phase) -> None:
        if phase != self._progress.phase:
            self._progress.phase = phase
            if phase in ("backfill", "following"):
                self._progress.problem = None
        self._progress.tell(True)

    def _may_pass(self, error: DatabaseUnavailable) -> bool:
        if isinstance(error, DatabaseRefused) or self._is_cut_off(error):
            return False
        return self._was_open or isinstance(error, DatabaseBusy)

    def _is_cut_off(self, error: DatabaseUnavailable) -> bool:
        # A service is given its folder, in what is read-only else, when it starts: deleted, it is
        # there again for the next start only.
        is_read_only = getattr(error.__cause__, "errno", None) == errno.EROFS
        return is_read_only and not self._keeping.database.parent.exists()

    def _fail(self, error: DatabaseUnavailable | LeaseLost) -> None:
        if isinstance(error, LeaseLost):
            problem = said = "another process has taken over the work"
        else:
            problem, said = str(error), f"the database: {error.why}"
        self._meter.failed("database")
        self._say(type(error).__name__, said)
        self._progress.problem = problem
        self._enter("failing")

    def _say(self, topic: str, message: str) -> None:
        """Say it, if nothing of this kind was said in this episode."""
        if topic not in self._said:
            self._said.add(topic)
            _log.warning("%s", message)

    def _well(self) -> None:
        self._said.clear()
        self._backoff = _BACKOFF_SECONDS[0]

    def _set_aside(self, file: tuple[int, int] | None) -> None:
        try:
            target = set_aside(self._keeping.database, file)
        except OSError as error:
            self._say("set aside", f"it cannot be moved aside: {error.strerror}")
            return
        if target is not None:
            _log.warning("moved to %s, building a new one", target.name)

    def _pause(self) -> None:
        self._mailbox.wait(self._backoff)
        self._backoff = min(2 * self._backoff, _BACKOFF_SECONDS[1])
