"""Asked to stop: within two seconds, whatever it is at, and leaving nothing behind."""

import ctypes
import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.daemon.living import Daemon, living, wait_until_true
from tests.faults.processes import children_of, is_in_use, stop_in_the_middle
from tests.oracle.cases_build import meta, user
from tests.running import Place, dump, state_of, thread_id, wait_until, watermark

pytestmark = pytest.mark.alone

LARGE = 900
Phase: TypeAlias = Callable[[Place, Path], AbstractContextManager[Daemon]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in range(20):
        made.thread(number)
    return made


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rollout of 1 GiB, all of which is looked at."""
    path = tmp_path_factory.mktemp("large") / "rollout.jsonl"
    line = user("x" * 1_000_000) + b"\n"
    with path.open("wb") as file:
        file.write(meta().replace(b"@id@", thread_id(LARGE).encode()) + b"\n" + user("hi") + b"\n")
        for _ in range((1 << 30) // len(line)):
            file.write(line)
    return path


def put(large: Path, place: Place) -> None:
    target = place.home / watermark(LARGE)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(large, target)


@contextmanager
def at_a_lock(place: Place, _large: Path) -> Iterator[Daemon]:
    place.index()
    with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with living(place, phase="waiting") as daemon:
            yield daemon


@contextmanager
def without_a_home(place: Place, _large: Path) -> Iterator[Daemon]:
    place.home.rename(place.root / "away")
    with living(place, phase="waiting") as daemon:
        yield daemon
    (place.root / "away").rename(place.home)


@contextmanager
def beside_another_worker(place: Place, _large: Path) -> Iterator[Daemon]:
    for number in range(1500):
        place.thread(number)
    with place.started("backfill", ROLLOUTD_BACKFILL_BATCH_SIZE="1") as other:
        # In the middle of a look, it would keep what it looks at in the log.
        stop_in_the_middle(place, other, is_in_use)
        with living(place, phase="waiting") as daemon:
            yield daemon
            assert state_of(place.database)["owner_pid"] == other.pid


@contextmanager
def in_the_backfill(place: Place, large: Path) -> Iterator[Daemon]:
    put(large, place)
    with living(place, phase="backfill") as daemon:
        wait_until(lambda: state_of(place.database).get("owner_token"), "it works")
        yield daemon
    assert state_of(place.database)["status"] == "pending"


@contextmanager
def in_a_reconcile(place: Place, large: Path) -> Iterator[Daemon]:
    with living(place, ROLLOUTD_WATCH="poll") as daemon:
        put(large, place)
        wait_until(lambda: children_of(daemon.process.pid), "it reads")
        yield daemon
    assert state_of(place.database)["status"] == "complete"


@contextmanager
def following_something_large(place: Place, large: Path) -> Iterator[Daemon]:
    with living(place) as daemon:
        put(large, place)
        wait_until(lambda: children_of(daemon.process.pid), "it reads")
        yield daemon


@contextmanager
def following(place: Place, _large: Path) -> Iterator[Daemon]:
    with living(place) as daemon:
        yield daemon


@contextmanager
def failing(place: Place, _large: Path) -> Iterator[Daemon]:
    with living(place) as daemon:
        for each in place.database.parent.glob("state.sqlite*"):
            if not each.name.endswith(".lock"):
                each.unlink()
        place.database.mkdir()
        daemon.wait_for("failing")
        yield daemon
    place.database.rmdir()
    place.index()


PHASES = (
    at_a_lock,
    without_a_home,
    beside_another_worker,
    in_the_backfill,
    in_a_reconcile,
    following_something_large,
    following,
    failing,
)


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
def test_in_each_phase(phase: Phase, place: Place, large: Path) -> None:
    with phase(place, large) as daemon:
        readers = children_of(daemon.process.pid)
        daemon.end()
        daemon.has_left_nothing(readers)
    (place.home / watermark(LARGE)).unlink(missing_ok=True)
    with living(place) as daemon:
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_in_the_middle_of_a_failing_write(place: Place) -> None:
    """With the database locked by another, the lease cannot be given back; it is void anyway."""
    with living(place) as daemon:
        with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            place.thread(30)
            daemon.wait_for("failing")
            daemon.end()
        assert place.status()["backfill"]["owner"]["gone"] is True
    with living(place) as daemon:
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_signal_that_another_thread_gets(place: Place) -> None:
    """As the kernel has it when the main thread has one to deal with already."""
    with living(place) as daemon:
        pid = daemon.process.pid
        others = [int(each.name) for each in Path(f"/proc/{pid}/task").iterdir()]
        others.remove(pid)
        send = ctypes.CDLL(None, use_errno=True).tgkill
        for thread in others:
            asked = time.time_ns() // 1_000_000
            assert send(pid, thread, signal.SIGHUP) == 0
            wait_until(
                lambda asked=asked: (daemon.state.last_reconcile_ms or 0) >= asked,  # type: ignore[misc, union-attr]
                "it reconciles",
                2,
            )
        assert send(pid, others[0], signal.SIGTERM) == 0
        assert daemon.process.wait(2) == 0
    assert dump(place.database) == place.fresh()


def catches(daemon: Daemon) -> bool:
    """Whether SIGTERM would not simply end it (proc_pid_status(5))."""
    for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    raise AssertionError


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_from_the_first_moment_on(place: Place, number: signal.Signals) -> None:
    """Long before there is a lock, let alone a database: then again and again a little later."""
    later = random.Random(number)
    for delay in (0, *(later.uniform(0, 1.5) for _ in range(6))):
        with living(place, phase="") as daemon:
            wait_until(lambda daemon=daemon: catches(daemon), "it listens")  # type: ignore[misc]
            if not delay:
                assert not daemon.place.database.parent.exists()
            time.sleep(delay)
            daemon.process.send_signal(signal.SIGHUP)
            daemon.end(number)
            shutil.rmtree(place.database.parent, ignore_errors=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_again_while_it_ends(place: Place, number: signal.Signals) -> None:
    """A terminal's Ctrl-C is often pressed twice."""
    with living(place) as daemon:
        daemon.process.send_signal(signal.SIGTERM)
        while daemon.process.poll() is None:
            daemon.process.send_signal(number)
            time.sleep(0.002)
        daemon.end()
        daemon.has_left_nothing(set())
