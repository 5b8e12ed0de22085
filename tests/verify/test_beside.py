"""Beside others at work: a daemon that follows, a backfill, a daemon that cannot be asked."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rolloutd.errors import WorkHeld
from rolloutd.instance import single_instance
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Work, claim
from rolloutd.verify.findings import Kind
from tests.daemon.living import append, living, wait_until_true
from tests.oracle.cases_build import tokens, user
from tests.running import Place, change, dump, state_of, thread_id, watermark
from tests.verify.everything import CHILD, ODD, PARENT, PLAIN, TOOLS, make
from tests.verify.verifying import TERMS, drift, verified, verify

SOON = TERMS.__class__(wait_seconds=0.3)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    make(made)
    return made


@contextmanager
def writing(place: Place) -> Iterator[None]:
    """Somebody who all the time appends, creates, rewrites, archives and removes."""
    done = threading.Event()

    def write() -> None:
        number = 100
        while not done.is_set():
            number += 1
            path = place.thread(number)
            for amount in range(5):
                append(path, tokens(amount))
                append(place.home / watermark(PLAIN), tokens(number), user("more"))
                done.wait(0.02)
            if number % 3 == 0:
                path.rename(place.home / watermark(number, root="archived_sessions"))
            elif number % 3 == 1:
                path.unlink()
            else:
                path.write_bytes(path.read_bytes().replace(b"prompt", b"PROMPT") * 2)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


@pytest.mark.parametrize("deep", [False, True])
def test_no_false_alarm_beside_a_daemon_that_follows(place: Place, *, deep: bool) -> None:
    with living(place) as daemon, writing(place):
        for _ in range(5):
            result = verify(place, deep=deep)
            assert result.is_true, (result, daemon.log.read_text())
        done = place.run("verify", "--json", "--repair", *(["--deep"] if deep else []))
        assert (done.code, done.document["status"]) == (0, "true"), done


def spoil(place: Place) -> None:
    """Drift of which no event and no stamp tells."""
    for statement in (
        'UPDATE rollouts SET "offset" = "offset" - 20, anchors = "0:0"',
        f"UPDATE threads SET title = 'x' WHERE id = '{thread_id(PLAIN)}'",
        f"UPDATE rollouts SET summary = '{{}}' WHERE path = '{ODD}'",
        f"DELETE FROM threads WHERE id = '{thread_id(CHILD)}'",
        f"DELETE FROM rollouts WHERE path = '{watermark(PARENT)}'",
        f"UPDATE thread_dynamic_tools SET name = 'x' WHERE thread_id = '{thread_id(TOOLS)}'",
        "INSERT INTO thread_spawn_edges VALUES ('a', 'b', 'open')",
        "UPDATE session_names SET name = 'y'",
        "UPDATE home SET model_provider = 'other'",
        "UPDATE backfill_state SET scanned = 3",
    ):
        change(place.database, statement)


def test_the_daemon_repairs(place: Place) -> None:
    with living(place) as daemon:
        spoil(place)
        found = verified(place.home, place.database, terms=SOON).found.drift
        kinds = {each.kind for each in found}
        assert kinds == {
            Kind.CURSOR, Kind.MISMATCHED, Kind.MISSING, Kind.STRAY, Kind.NAMES, Kind.HOME
        }  # fmt: skip
        done = place.run("verify", "--json", "--repair", "--wait-seconds", "3")
        assert (done.code, done.document["status"]) == (0, "repaired"), done
        assert done.document["repair"]["daemon"] == daemon.process.pid
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_the_daemon_repairs_what_only_a_deep_look_finds(place: Place) -> None:
    with living(place) as daemon, writing(place):
        text = "UPDATE rollouts SET summary = replace(summary, 'odd', 'even') WHERE path = ?"
        change(place.database, text, ODD)
        change(place.database, "UPDATE threads SET title = replace(title, 'odd', 'even'), "
               "preview = replace(preview, 'odd', 'even'), "
               "first_user_message = replace(first_user_message, 'odd', 'even')")  # fmt: skip
        assert verify(place).is_true
        result = verify(place, deep=True, repair=True)
        assert result.is_true
        assert [each.path for each in result.found.drift] == [ODD]
        assert result.daemon == daemon.process.pid
    assert place.backfill()["status"] == "complete"
    assert dump(place.database) == place.fresh()


def test_a_daemon_that_stands_still_is_named(place: Place) -> None:
    with living(place) as daemon:
        change(place.database, "UPDATE threads SET title = 'x'")
        os.kill(daemon.process.pid, 19)
        try:
            with pytest.raises(WorkHeld, match=f"process {daemon.process.pid}, has not repaired"):
                verified(place.home, place.database, repair=True, terms=SOON)
        finally:
            os.kill(daemon.process.pid, 18)
        wait_until_true(place)  # It was asked, and does it now.


def test_a_daemon_that_is_another_process_is_not_signalled(place: Place) -> None:
    """Its process id may be anybody's here: SIGHUP ends what does not expect it."""
    change(place.database, "UPDATE threads SET title = 'x'")
    with single_instance(place.database) as instance:
        from rolloutd.instance import DaemonState

        instance.tell(DaemonState(pid=os.getpid(), since_ms=0))
        with pytest.raises(WorkHeld, match="cannot be asked"):
            verified(place.home, place.database, repair=True, terms=SOON)
    assert verify(place, repair=True).is_true


def test_a_worker_that_holds_the_work(place: Place) -> None:
    change(place.database, "UPDATE threads SET title = 'x'")
    with StateDatabase.open_writer(place.database) as database:
        lease = claim(database, Work.RECONCILE, 60)
        assert lease is not None
        assert Kind.MISMATCHED in drift(place)
        done = place.run("verify", "--repair", "--wait-seconds", "0.2")
        assert done.code == 75, done
        assert f"process {os.getpid()}" in done.stderr
        lease.release()
    assert verify(place, repair=True).is_true


def test_a_backfill_that_is_not_complete(place: Place) -> None:
    with StateDatabase.open_writer(place.database) as database:
        lease = claim(database, Work.REBUILD, 60)
        assert lease is not None
        began = time.monotonic()
        with pytest.raises(WorkHeld, match="files scanned"):
            verified(place.home, place.database, terms=SOON)
        assert time.monotonic() - began >= 0.3
        lease.release("interrupted")
    assert drift(place).keys() == {Kind.STATE}
    assert verify(place, repair=True).is_true
    assert state_of(place.database)["status"] == "complete"
