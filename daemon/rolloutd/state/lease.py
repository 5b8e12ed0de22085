"""The lease on the work: one worker at a time, over all processes that share the database.

A claim is one conditional UPDATE. Every later write carries the claim's token in its WHERE, in
the same transaction as the rows: a worker whose lease was taken over changes nothing more.
"""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select, update

from rolloutd.errors import DatabaseUnavailable
from rolloutd.state.database import StateDatabase
from rolloutd.state.faults import DatabaseBusy
from rolloutd.state.process import Owner
from rolloutd.state.schema import backfill_state as state

_log = logging.getLogger(__name__)

_CLAIM_PATIENCE_SECONDS = 0.5


class Work(Enum):
    """What a claim is for."""

    BACKFILL = "backfill"  # the pass that is not complete yet
    REBUILD = "rebuild"  # the pass from the start, whatever was done before
    RECONCILE = "reconcile"  # keeping a complete database true


class LeaseLost(Exception):
    """Another worker holds the lease now; nothing of this transaction was written."""


@dataclass(frozen=True, slots=True)
class BackfillState:
    """The row of `backfill_state`; times are epoch seconds or, where named so, milliseconds.

    `is_torn` says that there are remains of an owner that are none: they hold nothing.
    """

    status: str
    last_watermark: str | None
    last_success_at: int | None
    updated_at: int
    reason: str | None
    owner: Owner | None
    is_torn: bool
    lease_expires_at_ms: int | None
    total: int
    scanned: int
    upserted: int
    failed: int


def read_state(connection: Connection) -> BackfillState:
    """How far the backfill is, and who works on it.

    Raises:
        LookupError: the database does not say, as no database of ours.
    """
    row = connection.execute(select(state).where(state.c.id == 1)).first()
    if row is None:
        raise LookupError("no row in backfill_state")
    return _from_row(row)


class Lease:
    """A claim that was granted. `seconds` is how long it holds without being renewed.

    `was_held` says that another worker had not given it back.
    """

    def __init__(
        self, database: StateDatabase, owner: Owner, seconds: float, *, was_held: bool = False
    ) -> None:
        self.owner = owner
        self.was_held = was_held
        self._database = database
        self._seconds = seconds
        self._renewed = time.monotonic()
        self._timer: Future[None] | None = None

    @contextmanager
    def transaction(self, **progress: Any) -> Iterator[Connection]:
        """A write transaction that holds only while the lease does; it renews the lease.

        `progress` are columns of `backfill_state` to set along with it.

        Raises:
            LeaseLost: at the start; nothing is written.
        """
        if self._timer is not None and self._timer.done():
            self._timer.result()  # What has ended it, unexpected, ends the work too.
        with self._database.transaction() as connection:
            expires = _now_ms() + round(self._seconds * 1000)
            self._set(connection, lease_expires_at_ms=expires, **progress)
            yield connection
        self._renewed = time.monotonic()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew at half-life by a timer, however long what is done meanwhile takes."""
        done = threading.Event()
        with ThreadPoolExecutor(1, thread_name_prefix="lease") as threads:
            self._timer = threads.submit(self._renew, done)
            try:
                yield
            finally:
                done.set()

    def _renew(self, done: threading.Event) -> None:
        while not done.wait(self._seconds / 8):
            if time.monotonic() - self._renewed < self._seconds / 2:
                continue
            try:
                with self.transaction():
                    pass
            except LeaseLost:
                return  # The next transaction of the work itself finds that out.
            except DatabaseUnavailable as error:
                _log.warning("the lease could not be renewed: %s", error.why)

    def complete(self, **progress: Any) -> None:
        """The database is true: say so, and give the lease back."""
        with self.transaction(
            status="complete", reason=None, last_success_at=int(time.time()), **progress
        ) as connection:
            self._set(connection, **_NOBODY)

    def release(self, reason: str | None = None) -> None:
        """Give the lease back with the work undone; what was checkpointed is kept."""
        with self.transaction(reason=reason) as connection:
            status = read_state(connection).status
            self._set(
                connection, status="complete" if status == "complete" else "pending", **_NOBODY
            )

    def _set(self, connection: Connection, **values: Any) -> None:
        fenced = (
            update(state)
            .where(state.c.id == 1, state.c.owner_token == self.owner.token)
            .values(updated_at=int(time.time()), **values)
            .returning(state.c.id)
        )
        if connection.execute(fenced).first() is None:
            raise LeaseLost


def claim(
    database: StateDatabase, work: Work, seconds: float, owner: Owner | None = None
) -> Lease | None:
    """Take the lease for `work`, or None if it is held, or that work is not there to be done.

    Free is what nobody holds, what has expired, what is held by a process that is provably
    gone, and what `owner`, this process unless given, holds already.
    """
    owner = owner or Owner.this_process()
    try:
        with database.transaction(_CLAIM_PATIENCE_SECONDS) as connection:
            holder = read_state(connection).owner
            gone = holder.token if holder is not None and holder.is_provably_gone() else None
            claimed = connection.execute(_claim(work, owner, gone, seconds)).first()
    except DatabaseBusy:
        return None  # Whoever is writing now may well hold the lease.
    if claimed is None:
        return None
    was_held = holder is not None and holder.token != owner.token
    return Lease(database, owner, seconds, was_held=was_held)


def _claim(work: Work, owner: Owner, gone: str | None, seconds: float) -> Any:
    now = _now_ms()
    free = or_(
        *(state.c[column].is_(None) for column in (*_OWNER, "lease_expires_at_ms")),
        state.c.lease_expires_at_ms <= now,
        state.c.owner_token == gone,
        state.c.owner_token == owner.token,
    )
    values: dict[str, Any] = {
        "updated_at": now // 1000,
        "lease_expires_at_ms": now + round(seconds * 1000),
        "owner_token": owner.token,
        "owner_host": owner.host,
        "owner_boot": owner.boot,
        "owner_pid": owner.pid,
        "owner_started": owner.started,
        "owner_since_ms": owner.since_ms,
    }
    if work is not Work.RECONCILE:
        values |= {"status": "running", "reason": None}
    if work is Work.REBUILD:
        values |= {"last_watermark": None, "total": 0, "scanned": 0, "upserted": 0, "failed": 0}
    wanted = {
        Work.RECONCILE: state.c.status == "complete",
        Work.BACKFILL: state.c.status != "complete",
        Work.REBUILD: state.c.id == 1,
    }[work]
    return (
        update(state)
        .where(and_(state.c.id == 1, wanted, free))
        .values(values)
        .returning(state.c.id)
    )


# Of these an owner has all, and a start time where the system tells it.
_OWNER = ("owner_token", "owner_host", "owner_boot", "owner_pid", "owner_since_ms")
_NOBODY: dict[str, Any] = dict.fromkeys((*_OWNER, "owner_started", "lease_expires_at_ms"))


def _from_row(row: Row[Any]) -> BackfillState:
    said = row._mapping  # noqa: SLF001 - SQLAlchemy's way to a column by its name
    owner = None
    if all(said[column] is not None for column in _OWNER):
        owner = Owner(
            row.owner_token,
            row.owner_host,
            row.owner_boot,
            row.owner_pid,
            row.owner_started,
            row.owner_since_ms,
        )
    return BackfillState(
        row.status,
        row.last_watermark,
        row.last_success_at,
        row.updated_at,
        row.reason,
        owner,
        owner is None and any(said[column] is not None for column in _NOBODY),
        row.lease_expires_at_ms,
        row.total,
        row.scanned,
        row.upserted,
        row.failed,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
