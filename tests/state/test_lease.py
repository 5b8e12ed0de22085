"""The lease: one worker at a time, over real processes that share a database."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease, LeaseLost, Work, claim, read_state
from tests.running import change, state_of, wait_until

HOUR = 3600.0

# Says whether each claim was granted; keeps what it has until it is told otherwise.
CLAIMANT = """
import sys
from pathlib import Path
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Work, claim
with StateDatabase.open_writer(Path(sys.argv[1])) as database:
    lease = None
    print("ready", flush=True)
    for line in sys.stdin:
        if line == "claim\\n":
            lease = claim(database, Work.BACKFILL, float(sys.argv[2]))
            print(lease is not None, flush=True)
        else:
            lease.release()
            print("released", flush=True)
"""


class Claimant:
    """Another process that claims when it is told to."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def send(self, order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def ask(self, order: str) -> str:
        self.send(order)
        return self.answer()


@contextmanager
def claimant(path: Path, seconds: float = HOUR) -> Iterator[Claimant]:
    with subprocess.Popen(
        [sys.executable, "-c", CLAIMANT, str(path), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        other = Claimant(process)
        try:
            assert other.answer() == "ready"
            yield other
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
def database(path: Path) -> Iterator[StateDatabase]:
    with StateDatabase.open_writer(path) as opened:
        yield opened


def granted(database: StateDatabase, work: Work = Work.BACKFILL, seconds: float = HOUR) -> Lease:
    lease = claim(database, work, seconds)
    assert lease is not None
    return lease


def expire(path: Path) -> None:
    change(path, "UPDATE backfill_state SET lease_expires_at_ms = 1")


def test_a_claim_says_who_and_until_when(database: StateDatabase, path: Path) -> None:
    before = time.time()
    lease = granted(database, seconds=60)
    state = state_of(path)
    assert state["status"] == "running"
    assert state["owner_token"] == lease.owner.token
    assert state["owner_pid"] == lease.owner.pid
    assert before + 59 <= state["lease_expires_at_ms"] / 1000 <= time.time() + 60
    with database.reading() as connection:
        assert read_state(connection).owner == lease.owner


def test_a_claim_is_a_singleton_until_stale(database: StateDatabase, path: Path) -> None:
    first = granted(database)
    assert claim(database, Work.BACKFILL, HOUR) is None
    assert claim(database, Work.REBUILD, HOUR) is None
    expire(path)
    second = granted(database)
    assert claim(database, Work.BACKFILL, HOUR) is None
    assert second.owner.token != first.owner.token


def test_the_pass_cannot_be_claimed_once_it_is_complete(
    database: StateDatabase, path: Path
) -> None:
    granted(database).complete(last_watermark="sessions/z", total=3, scanned=3)
    state = state_of(path)
    assert (state["status"], state["last_watermark"], state["total"]) == (
        "complete",
        "sessions/z",
        3,
    )
    assert state["owner_token"] is state["lease_expires_at_ms"] is state["reason"] is None
    assert abs(state["last_success_at"] - time.time()) < 60
    assert claim(database, Work.BACKFILL, HOUR) is None
    granted(database, Work.RECONCILE)
    assert state_of(path)["status"] == "complete"


def test_a_reconcile_cannot_be_claimed_before_it_is_complete(database: StateDatabase) -> None:
    assert claim(database, Work.RECONCILE, HOUR) is None


def test_a_rebuild_starts_over(database: StateDatabase, path: Path) -> None:
    granted(database).complete(last_watermark="sessions/z", total=3, scanned=3, upserted=3)
    granted(database, Work.REBUILD)
    state = state_of(path)
    assert (state["status"], state["last_watermark"], state["scanned"]) == ("running", None, 0)


def test_two_processes_at_once_and_exactly_one_wins(path: Path) -> None:
    with ExitStack() as stack:
        two = [stack.enter_context(claimant(path)) for _ in range(2)]
        for _ in range(50):
            for each in two:
                each.send("claim")
            won = [each for each in two if each.answer() == "True"]
            assert len(won) == 1
            assert won[0].ask("release") == "released"


def test_a_live_owner_keeps_it_and_a_killed_one_does_not(
    database: StateDatabase, path: Path
) -> None:
    with claimant(path) as other:
        assert other.ask("claim") == "True"
        assert claim(database, Work.BACKFILL, HOUR) is None
        other.process.kill()
        wait_until(lambda: claim(database, Work.BACKFILL, HOUR), "the dead owner's lease is free")
    assert claim(database, Work.BACKFILL, HOUR) is None


def test_a_live_owner_loses_it_by_expiry_only(database: StateDatabase, path: Path) -> None:
    with claimant(path) as other:
        assert other.ask("claim") == "True"
        expire(path)
        granted(database)


@pytest.mark.parametrize("column", ["owner_host", "owner_boot"])
def test_the_owner_on_another_host_or_boot_is_given_its_time(
    database: StateDatabase, path: Path, column: str
) -> None:
    granted(database)
    change(path, f"UPDATE backfill_state SET owner_pid = 1 << 22, {column} = 'elsewhere'")
    assert claim(database, Work.BACKFILL, HOUR) is None
    expire(path)
    granted(database)


def test_a_pid_that_is_used_again_does_not_hold_it(database: StateDatabase, path: Path) -> None:
    with claimant(path) as other:
        assert other.ask("claim") == "True"
        change(path, "UPDATE backfill_state SET owner_started = owner_started - 1")
        granted(database)


def write_a_row(connection: Any) -> None:
    connection.execute("INSERT INTO session_names VALUES ('a', 'b')")


def names(database: StateDatabase) -> list[Any]:
    with database.reading() as connection:
        return list(connection.execute("SELECT * FROM session_names"))


@pytest.mark.parametrize("after", ["takeover", "takeover and complete", "takeover and release"])
def test_who_lost_the_lease_writes_nothing(database: StateDatabase, path: Path, after: str) -> None:
    old = granted(database)
    expire(path)
    new = granted(database)
    if after == "takeover and complete":
        new.complete()
    elif after == "takeover and release":
        new.release()
    before = state_of(path)
    with pytest.raises(LeaseLost), old.transaction(scanned=99) as connection:
        write_a_row(connection)
    for attempt in (old.complete, old.release):
        with pytest.raises(LeaseLost):
            attempt()
    assert names(database) == []
    assert state_of(path) == before


def test_rows_and_checkpoint_are_written_together_or_not_at_all(
    database: StateDatabase, path: Path
) -> None:
    lease = granted(database)
    before = state_of(path)
    with pytest.raises(KeyError), lease.transaction(last_watermark="x") as connection:  # noqa: PT012
        write_a_row(connection)
        raise KeyError
    assert (names(database), state_of(path)) == ([], before)
    with lease.transaction(last_watermark="x") as connection:
        write_a_row(connection)
    assert names(database) == [("a", "b")]
    assert state_of(path)["last_watermark"] == "x"


def test_every_transaction_renews(database: StateDatabase, path: Path) -> None:
    lease = granted(database, seconds=60)
    change(path, "UPDATE backfill_state SET lease_expires_at_ms = 1")
    with lease.transaction():
        pass
    assert state_of(path)["lease_expires_at_ms"] / 1000 > time.time() + 50


def test_a_timer_renews_at_half_life_and_not_before(database: StateDatabase, path: Path) -> None:
    seconds = 0.4
    long = granted(database, seconds=HOUR)
    expires = state_of(path)["lease_expires_at_ms"]
    with long.kept():
        pass
    assert state_of(path)["lease_expires_at_ms"] == expires
    long.release()

    short, began = granted(database, seconds=seconds), time.monotonic()
    expires = state_of(path)["lease_expires_at_ms"]
    with short.kept():
        for _ in range(2):  # and again, for as long as the work takes
            before = expires

            def renewed() -> bool:
                return bool(state_of(path)["lease_expires_at_ms"] != before)  # noqa: B023

            wait_until(renewed, "the lease is renewed")
            expires = state_of(path)["lease_expires_at_ms"]
    assert time.monotonic() - began >= seconds


def test_the_timer_ends_when_the_lease_is_lost(database: StateDatabase) -> None:
    old = granted(database, seconds=0.001)
    wait_until(lambda: claim(database, Work.BACKFILL, HOUR), "the lease has expired")
    with old.kept():
        wait_until(lambda: "lease" not in {t.name for t in threading.enumerate()}, "it ends")
    with pytest.raises(LeaseLost), old.transaction():
        pass


def test_what_ends_the_timer_ends_the_work(
    database: StateDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody has thought of is not left to a thread that nobody looks at."""
    lease = claim(database, Work.BACKFILL, 0.2)
    assert lease is not None

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    def kept_for_long() -> None:
        with lease.kept():
            monkeypatch.setattr(database, "transaction", broken)
            wait_until(lambda: lease._timer and lease._timer.done(), "it has ended")
            monkeypatch.undo()
            with lease.transaction():
                pytest.fail("as if nothing were")

    with pytest.raises(ZeroDivisionError):
        kept_for_long()


def test_release_keeps_what_was_done(database: StateDatabase, path: Path) -> None:
    lease = granted(database)
    with lease.transaction(last_watermark="sessions/m", total=9, scanned=4):
        pass
    lease.release("interrupted")
    state = state_of(path)
    assert (state["status"], state["last_watermark"], state["reason"]) == (
        "pending",
        "sessions/m",
        "interrupted",
    )
    assert (state["total"], state["scanned"]) == (9, 4)
    assert state["owner_token"] is state["owner_pid"] is state["lease_expires_at_ms"] is None
    granted(database)
    state = state_of(path)
    assert (state["status"], state["last_watermark"], state["reason"]) == (
        "running",
        "sessions/m",
        None,
    )


def test_a_complete_database_stays_so_when_a_reconcile_is_given_up(
    database: StateDatabase, path: Path
) -> None:
    granted(database).complete(last_watermark="sessions/z")
    granted(database, Work.RECONCILE).release("interrupted")
    assert state_of(path)["status"] == "complete"
    assert state_of(path)["owner_token"] is None
