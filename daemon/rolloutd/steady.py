"""The steady state: a complete database is kept true, within one lease, until something ends it."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rolloutd.batches import Batches, Observer, Stopped, Terms
from rolloutd.drift import Drifts
from rolloutd.follow import Followed, Follower
from rolloutd.hints import Hints, Mailbox
from rolloutd.indexer import Indexer
from rolloutd.lag import Lag
from rolloutd.meter import UNMETERED, Meter
from rolloutd.presence import Presence
from rolloutd.reconcile import Reconcile
from rolloutd.rollout.discovery import fingerprint
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state import tally
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease
from rolloutd.state.stamp import Untouched, files_of
from rolloutd.state.threads import delete_strays
from rolloutd.strangers import Strangers
from rolloutd.telling import Progress

_log = logging.getLogger(__name__)

# How often to see whether anybody else has written into the database.
_TURN_SECONDS = 5.0
_FILES_AT_ONCE = 256
# A reconcile that was asked for waits for so many times the length of the last one.
_RECONCILE_SHARE = 20
_MISSING_SECONDS = 5.0
# So many looks in a row may find that nothing has changed without asking the rows, or the database.
_QUICK_LOOKS = 9


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is to be kept true, and how; times in seconds."""

    codex_home: Path
    database: Path
    default_provider: str
    terms: Terms
    reconcile_seconds: float


class Steady:
    """Goes where hints point, and looks at everything every now and then."""

    def __init__(
        self,
        database: StateDatabase,
        keeping: Keeping,
        pool: ReaderPool,
        lease: Lease,
        mailbox: Mailbox,
        observer: Observer,
        *,
        progress: Progress,
        meter: Meter = UNMETERED,
    ) -> None:
        home = keeping.codex_home
        batch_size = keeping.terms.batch_size
        self._database = database
        self._home = home
        self._lease = lease
        self._mailbox = mailbox
        self._progress = progress
        self._observer = observer
        self._reconcile_seconds = keeping.reconcile_seconds
        self._pool = pool
        self._indexer = indexer = Indexer(str(home), keeping.default_provider)
        batches = partial(
            Batches,
            pool,
            observer,
            batch_size,
            self._is_stopping,
            committed=Lag(progress, meter).see,
            meter=meter,
        )
        light, heavy = batches(), batches(self._turn_meanwhile)
        self._meter = meter
        self._follower = Follower(database, home, indexer, light, meter)
        self._heavy_follower = Follower(database, home, indexer, heavy, meter)
        self._reconcile = Reconcile(database, indexer, heavy, observer, meter)
        self._drifts = Drifts(meter)
        self._heavy: dict[str, None] = {}
        # Followed while something long is read whose rows are not written yet.
        self._meanwhile: Hints | None = None
        self._is_dirty = False
        self._wants_reconcile = False
        self._is_urgent = False
        self._reconciled = time.monotonic()
        self._took = 0.0
        self._presence = Presence(database, home, progress, meter)
        # Whether every row was true when all of them were looked at, and of what state; nothing was
        # written since.
        self._was_true = True
        self._true_of: tuple[int, int] | None = None
        self._strangers = Strangers(database, indexer, progress, self._turn_amid)
        self._quick_looks = 0
        files = files_of(database.path)
        self._untouched = Untouched(*files)
        # What we commit goes into the log.
        self._same_file = Untouched(files[0])

    def run(self) -> None:
        """Go on until something is raised.

        Raises:
            Stopped: on request; the lease is given back.
            LeaseLost, DatabaseUnavailable: see there.
        """
        try:
            while True:
                self._turn(self._seconds_left())
                # Not for turns in the middle of long reading: they would hide a reader that hangs.
                self._progress.beat()
                if self._heavy:
                    self._index_heavy()
                if self._seconds_left() <= 0:
                    self._look_everywhere()
        except Stopped:
            # Whatever we were at: rows may have been written that were not counted yet.
            self._count()
            self._lease.release()
            raise

    def _is_stopping(self) -> bool:
        return self._mailbox.stopping

    def _turn(self, timeout: float) -> None:
        """Wait for hints so many seconds at most, and follow them; heavy files are put off."""
        due = max(0.0, self._strangers.due - time.monotonic())
        hints = self._mailbox.take(min(timeout, _TURN_SECONDS, due), _FILES_AT_ONCE)
        if self._mailbox.stopping:
            raise Stopped
        self._database.refuse_other_file()
        if not hints and self._is_quiet():
            return
        self._wants_reconcile |= self._strangers.call_for_a_look(self._took, self._reconciled)
        self._drifts.hear(hints)
        if not self._mailbox.waiting():
            self._drifts.settle(time.monotonic())
        if hints.files or hints.directories:
            followed = self._follower.follow(self._lease, hints)
            self._heavy |= dict.fromkeys(followed.heavy)
            if self._meanwhile is not None:
                self._meanwhile.add(hints)
            self._account(followed)
        if hints.names:
            self._follower.follow_names(self._lease)
        self._wants_reconcile |= hints.everything
        self._is_urgent |= hints.urgent
        self._progress.tell(False)

    def _is_quiet(self) -> bool:
        # On a processor that has slept, all that a turn looks at takes milliseconds.
        is_untouched = self._untouched()
        is_settled = self._strangers.are_seen and self._drifts.are_settled
        return is_untouched and is_settled

    def _turn_meanwhile(self) -> None:
        if self._mailbox.waiting():
            self._turn(0)

    def _turn_amid(self) -> None:
        self._observer.looking()
        self._turn_meanwhile()

    def _account(self, followed: Followed) -> None:
        self._wants_reconcile |= followed.obscure
        if followed.indexed or followed.gone:
            self._is_dirty = True
            self._was_true = False

    def _index_heavy(self) -> None:
        hints, self._heavy = Hints(files=self._heavy), {}
        with self._long():
            self._account(self._heavy_follower.follow(self._lease, hints, heavy=True))

    @contextmanager
    def _long(self) -> Iterator[None]:
        self._meanwhile = Hints()
        yield
        self._pool.end()
        # What was followed in between may have been overwritten by what was read before.
        self._mailbox.post(self._meanwhile)
        self._meanwhile = None

    def _seconds_left(self) -> float:
        wait = self._reconcile_seconds
        if self._is_urgent:
            wait = 0.0
        elif self._wants_reconcile:
            wait = min(wait, _RECONCILE_SHARE * self._took)
        elif self._presence.is_missing:
            wait = min(wait, max(_MISSING_SECONDS, _RECONCILE_SHARE * self._took))
        return self._reconciled + wait - time.monotonic()

    def _look_everywhere(self) -> None:
        began = self._progress.looking_since = time.monotonic()
        is_periodic = not self._wants_reconcile and not self._presence.is_missing
        may_be_quick = is_periodic and self._was_true and self._quick_looks < _QUICK_LOOKS
        if not (may_be_quick and self._same_file()):
            self._database.look_anew()
        self._wants_reconcile = False
        if self._is_urgent:
            self._take_nothing_on_trust()
        self._follower.follow_changed_names(self._lease)
        state = self._state() if is_periodic and self._was_true else None
        if may_be_quick and state is not None and state == self._true_of:
            self._quick_looks += 1
            self._succeed(began)
        else:
            self._compare_everything(began, is_periodic=is_periodic)
            self._true_of, self._quick_looks = state, 0
        self._progress.looked, self._progress.looking_since = began, None
        self._reconciled = time.monotonic()
        self._took = self._reconciled - began
        self._progress.tell(True)

    def _state(self) -> tuple[int, int] | None:
        """What the rows rest on, in short: where that is still the same, so are they."""
        changes = self._database.foreign_changes()
        seen = fingerprint(self._home, self._observer.looking)
        return None if seen is None else (changes, seen)

    def _compare_everything(self, began: float, *, is_periodic: bool) -> None:
        self._was_true = False
        if self._strangers.note():
            self._is_dirty = True
            self._follower.follow_names(self._lease)
            self._strangers.distrust(self._lease)
        discovery = self._presence.discover(self._observer.looking)
        if discovery is not None:
            with self._long():
                done = self._reconcile.run(self._lease, discovery)
            self._was_true = not (done.read or done.removed)
            self._wants_reconcile |= self._strangers.put_right(self._lease)
            self._is_dirty |= bool(done.upserted or done.removed)
            if is_periodic and done.drift:
                self._mailbox.doubt()
                self._drifts.suspect(done.drift, began)
            if not self._presence.is_missing:
                self._progress.rollouts = done.scanned
                self._succeed(began)

    def _take_nothing_on_trust(self) -> None:
        """Somebody has asked: what no event or stamp would show is made true as well."""
        self._is_urgent = False
        self._strangers.suspect()
        self._database.refuse_unsound()
        self._indexer.forget()
        with self._lease.transaction() as connection:
            self._indexer.bind(connection)

    def _succeed(self, began: float) -> None:
        now = int(time.time())
        if self._is_dirty:
            self._count(last_success_at=now)
        else:
            with self._lease.transaction(last_success_at=now):
                pass
        seconds = time.monotonic() - began
        self._progress.reconciled_in(seconds)
        self._meter.reconciled(seconds)

    def _count(self, **progress: int) -> None:
        with self._database.reading() as connection:
            totals = tally.totals(connection)
        said = {"status": "complete", **totals.progress, **progress}
        with self._lease.transaction(**said) as connection:
            delete_strays(connection)
        self._is_dirty = False
