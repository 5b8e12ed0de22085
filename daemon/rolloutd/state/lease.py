"""The lease on the work: one worker at a time, over all processes that share the database.

A claim is one conditional UPDATE. Every later write carries the claim's token in its WHERE, in
the same transaction as the rows: a worker whose lease was taken over changes nothing more.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from rolloutd.errors import DatabaseUnavailable
from rolloutd.state.connections import Connection
from rolloutd.state.database import StateDatabase
from rolloutd.state.faults import DatabaseBusy
from rolloutd.state.process import Owner
from rolloutd.state.schema import BACKFILL_STATE

_log = logging.getLogger(__name__)

_CLAIM_PATIENCE_SECONDS = 0.5


class Work(Enum):
    """What a claim is for."""

    BACKFILL = "backfill"  # the pass that is not complete yet
    REBUILD = "rebuild"  # the pass from the start, whatever was done before
    RECONCILE = "reconcile"  # keeping a complete database true


_STATE = f"SELECT {BACKFILL_STATE.names} FROM backfill_state WHERE id = 1"  # noqa: S608

# Of these an owner has all, and a start time where the system tells it.
_OWNER = ("owner_token", "owner_host", "owner_boot", "owner_pid", "owner_since_ms")
_NOBODY: dict[str, Any] = dict.fromkeys((*_OWNER, "owner_started", "lease_expires_at_ms"))

_WANTED = {
    Work.RECONCILE: "status = 'complete'",
    Work.BACKFILL: "status <> 'complete'",
    Work.REBUILD: "true",
}
_FREE = " OR ".join(
    (
        *(f"{column} IS NULL" for column in (*_OWNER, "lease_expires_at_ms")),
        "lease_expires_at_ms <= :now",
        "owner_token IN (:gone, :owner_token)",
    )
)


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
    rows = connection.records(_STATE)
    if not rows:
        raise LookupError("no row in backfill_state")
    return _from_row(rows[0])


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
        values["updated_at"] = int(time.time())
        fenced = f"{_setting(values)} AND owner_token = :token"
        if connection.execute(fenced, values | {"token": self.owner.token}).rowcount == 0:
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
            is_granted = _claim(connection, work, owner, gone, seconds)
    except DatabaseBusy:
        return None  # Whoever is writing now may well hold the lease.
    if not is_granted:
        return None
    was_held = holder is not None and holder.token != owner.token
    return Lease(database, owner, seconds, was_held=was_held)


def _claim(
    connection: Connection, work: Work, owner: Owner, gone: str | None, seconds: float
) -> bool:
    """Whether the row could be made to say that it is this owner's."""
    now = _now_ms()
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
    query = f"{_setting(values)} AND {_WANTED[work]} AND ({_FREE})"
    return connection.execute(query, values | {"now": now, "gone": gone}).rowcount > 0


def _setting(values: Mapping[str, Any]) -> str:
    """The statement that sets these columns, each to its own parameter."""
    changes = ", ".join(f"{column} = :{column}" for column in values)
    return f"UPDATE backfill_state SET {changes} WHERE id = 1"  # noqa: S608


def _from_row(said: Mapping[str, Any]) -> BackfillState:
    owner = None
    if all(said[column] is not None for column in _OWNER):
        owner = Owner(
            said["owner_token"],
            said["owner_host"],
            said["owner_boot"],
            said["owner_pid"],
            said["owner_started"],
            said["owner_since_ms"],
        )
    return BackfillState(
        said["status"],
        said["last_watermark"],
        said["last_success_at"],
        said["updated_at"],
        said["reason"],
        owner,
        owner is None and any(said[column] is not None for column in _NOBODY),
        said["lease_expires_at_ms"],
        said["total"],
        said["scanned"],
        said["upserted"],
        said["failed"],
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
