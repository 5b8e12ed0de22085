"""What may befall the database under a running daemon, and who else may want it."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.living import append, living, wait_until_true
from tests.faults.processes import stop_in_the_middle
from tests.oracle.cases_build import tokens
from tests.running import Place, dump, wait_until, watermark
from tests.state.test_database import without_privileges

QUICK: dict[str, Any] = {"ROLLOUTD_RECONCILE_SECONDS": "1"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in range(20):
        made.thread(number)
    return made


def change_the_home(place: Place) -> None:
    place.thread(int(time.monotonic() * 10) % 3000 + 100)
    append(place.home / watermark(1), tokens(7))


def test_a_second_daemon_names_the_first(place: Place) -> None:
    with living(place) as daemon:
        done = place.run("run")
        assert (done.code, done.stdout) == (75, "")
        assert f"process {daemon.process.pid}, since" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        change_the_home(place)
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_killed_daemon_leaves_nothing_that_matters(place: Place) -> None:
    for _ in range(2):
        with living(place) as daemon:
            change_the_home(place)
            daemon.process.kill()
            daemon.process.wait()
            assert place.status()["daemon"] is None
    with living(place) as daemon:
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_it_is_deleted(place: Place) -> None:
    with living(place, **QUICK) as daemon:
        place.database.unlink()
        change_the_home(place)
        wait_until_true(place)
        shutil.rmtree(place.database.parent)  # the lock's file too
        wait_until_true(place)
        change_the_home(place)
        wait_until_true(place)
        done = place.run("run")
        assert done.code == 75, done
        assert f"process {daemon.process.pid}" in done.stderr
        daemon.stop()
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize("in_place", [True, False])
def test_it_is_replaced_by_garbage(place: Place, *, in_place: bool) -> None:
    with living(place, **QUICK) as daemon:
        for _ in range(2):
            garbage = place.database if in_place else place.root / "garbage"
            garbage.write_bytes(b"this is not a database " * 1000)
            if not in_place:
                garbage.rename(place.database)
            change_the_home(place)
            wait_until_true(place)
        assert daemon.says("building a new one") == 2
        daemon.stop()
    assert dump(place.database) == place.fresh()
    assert len(list(place.database.parent.glob("*.corrupt-*"))) >= 2


def test_another_process_writes_for_long(place: Place) -> None:
    with living(place, **QUICK) as daemon:
        with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            change_the_home(place)
            daemon.wait_for("failing")
            place.thread(70)
            seen = daemon.state
            wait_until(lambda: daemon.state != seen, "it tries again", 20)
            other.execute("ROLLBACK")
        wait_until_true(place)
        assert daemon.says("another process is writing") == 1
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_another_process_writes_while_it_starts_and_stops(place: Place) -> None:
    place.index()
    with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with living(place, phase="waiting") as daemon:
            began = time.monotonic()
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(5) == 0
            assert time.monotonic() - began < 2
        other.execute("ROLLBACK")
        with living(place) as daemon:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(5) == 0
            assert time.monotonic() - began < 2
            assert not daemon.says("Traceback")
    with living(place) as daemon:
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_its_folder_cannot_be_written(place: Place) -> None:
    place.database.parent.mkdir(mode=0o500)
    done = place.run("run", prefix=without_privileges())
    assert (done.code, done.stdout) == (74, ""), done
    assert len(done.stderr.splitlines()) <= 2, done.stderr


def test_it_is_made_read_only_and_writable_again(place: Place) -> None:
    with living(place, prefix=without_privileges(), **QUICK) as daemon:
        place.database.chmod(0o400)
        place.database.parent.chmod(0o500)
        change_the_home(place)
        assert daemon.process.poll() is None
        place.database.parent.chmod(0o700)
        place.database.chmod(0o600)
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_newer_database_is_refused(place: Place) -> None:
    place.index()
    with closing(sqlite3.connect(place.database)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = 'zzzz'")
    done = place.run("run")
    assert done.code == 74
    assert "newer rolloutd" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_worker_is_waited_for(place: Place) -> None:
    for number in range(400):
        place.thread(number)
    with place.started("backfill", ROLLOUTD_BACKFILL_BATCH_SIZE="1") as first:
        stop_in_the_middle(place, first)
        with living(place, phase="waiting") as daemon:
            assert f"process {first.pid}" in str(daemon.state and daemon.state.problem)
            assert daemon.says("waiting:") == 1
            first.send_signal(signal.SIGCONT)
            daemon.wait_for("following")
            wait_until_true(place)
            daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_rebuild_beside_the_daemon_is_refused(place: Place) -> None:
    with living(place) as daemon:
        done = place.run("backfill", "--rebuild", ROLLOUTD_BACKFILL_WAIT_SECONDS="0.2")
        assert done.code == 75
        assert f"process {daemon.process.pid}" in done.stderr
        daemon.stop()


def test_the_disk_is_full_and_then_is_not(place: Place) -> None:
    """By a limit on the size of files, which SQLite takes for a full disk."""
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, -1))\n"
        "sys.argv[0] = 'rolloutd'\n"
        "from rolloutd.cli import main\n"
        "main()\n"
    )
    place.index()
    with (
        (place.root / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-c", code, "run"],
            env=place.environment | QUICK,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            for number in range(100, 700):
                place.thread(number)
            wait_until(
                lambda: (
                    b"full" in (place.root / "log").read_bytes()
                    or b"I/O" in (place.root / "log").read_bytes()
                ),
                "it is full",
            )
            assert process.poll() is None
            subprocess.run(["prlimit", f"--pid={process.pid}", "--fsize=unlimited"], check=True)
            wait_until_true(place, 20)
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(5) == 0
        finally:
            process.kill()
    assert dump(place.database) == place.fresh()
