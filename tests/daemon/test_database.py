"""What may befall the database under a running daemon, and who else may want it."""

import os
import shutil
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.living import append, living, wait_until_true
from tests.faults.processes import stop_in_the_middle
from tests.oracle.cases_build import tokens
from tests.running import Place, change, dump, rows, wait_until, watermark
from tests.state.test_database import without_privileges

pytestmark = pytest.mark.alone

# So long, and longer, users have seen other programs hold the lock.
SETTLED_SECONDS = 15  # for its looks to be short ones
LONG_SECONDS = 20.0
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


@pytest.mark.parametrize("ending", ["-wal", "-shm"])
def test_a_part_of_it_is_deleted_while_nothing_happens(place: Place, ending: str) -> None:
    with living(place, ROLLOUTD_RECONCILE_SECONDS="3600") as daemon:
        wait_until_true(place)
        time.sleep(SETTLED_SECONDS)
        place.database.with_name(place.database.name + ending).unlink()
        wait_until(lambda: daemon.says("its log was deleted") == 1, "it is seen", 10)
        change_the_home(place)
        wait_until_true(place)
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
    with living(place, **QUICK | {"ROLLOUTD_RECONCILE_SECONDS": "10"}) as daemon:
        with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            change_the_home(place)
            daemon.wait_for("failing")
            place.thread(70)
            (place.home / watermark(3)).unlink()
            while time.monotonic() - began < LONG_SECONDS:
                told = place.status()["daemon"]
                assert told["phase"] == "failing"
                assert "another process is writing" in told["problem"]
            other.execute("ROLLBACK")
        wait_until_true(place, 10)
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


def test_a_newer_database_is_refused(place: Place) -> None:
    place.index()
    with closing(sqlite3.connect(place.database)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = 'zzzz'")
    done = place.run("run")
    assert done.code == 74
    assert "newer rolloutd" in done.stderr
    assert "Traceback" not in done.stderr


def test_one_that_a_newer_version_has_taken_over_is_left(place: Place) -> None:
    with living(place) as daemon:
        change(place.database, "UPDATE alembic_version SET version_num = 'zzzz'")
        daemon.hang_up()
        assert daemon.process.wait(10) == 74
        assert daemon.says("newer rolloutd") == 1


def replace_by(place: Place, other: Path, *, in_place: bool) -> None:
    """As `cp` does it, or `mv`."""
    if in_place:
        shutil.copyfile(other, place.database)
    else:
        shutil.copyfile(other, place.database.with_name("new"))
        place.database.with_name("new").rename(place.database)


@pytest.mark.parametrize("in_place", [True, False])
def test_it_is_replaced_by_an_older_copy_of_itself(place: Place, *, in_place: bool) -> None:
    """A backup that is put back while the daemon runs: it is brought up to date."""
    place.index()
    backup = place.root / "backup"
    shutil.copyfile(place.database, backup)
    change_the_home(place)
    with living(place, **QUICK) as daemon:
        for number in range(200, 260):
            place.thread(number)
        wait_until_true(place)
        replace_by(place, backup, in_place=in_place)
        change_the_home(place)
        wait_until_true(place, 20)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_it_is_replaced_by_the_index_of_another_home(place: Place, tmp_path: Path) -> None:
    """That is somebody's mistake, for them to mend: it is told, and nothing is lost."""
    other = Place.make(tmp_path / "other")
    other.thread(1)
    other.index()
    before = dump(other.database)
    with living(place, **QUICK) as daemon:
        replace_by(place, other.database, in_place=False)
        assert daemon.process.wait(10) == 78
        assert daemon.says(f"the index of {other.home}") == 1
        assert not daemon.says("Traceback")
    assert dump(place.database) == before


@pytest.mark.parametrize("version", ["zzzz", None])
def test_it_is_replaced_by_what_is_not_for_us(
    place: Place, tmp_path: Path, version: str | None
) -> None:
    """By a newer version's, or another program's: it is told, and left alone."""
    other = tmp_path / "other"
    place.index()
    shutil.copyfile(place.database, other)
    with closing(sqlite3.connect(other)) as connection, connection:
        if version is None:
            connection.execute("PRAGMA application_id = 7")
        else:
            connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    before = other.read_bytes()
    with living(place, **QUICK) as daemon:
        replace_by(place, other, in_place=False)
        assert daemon.process.wait(10) == 74
        assert daemon.says("another program's database" if version is None else "newer rolloutd")
        assert not daemon.says("Traceback")
    assert place.database.read_bytes() == before


def test_its_log_is_deleted(place: Place) -> None:
    """The WAL, which may hold all that was written since it was last moved into the database."""
    with living(place, **QUICK) as daemon:
        for _ in range(3):
            place.database.with_name("state.sqlite-wal").unlink()
            change_the_home(place)
            wait_until_true(place, 20)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_another_worker_is_waited_for(place: Place) -> None:
    for number in range(1500):
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


@pytest.mark.parametrize("how", ["overwritten", "cut off"])
def test_damage_that_its_own_cache_hides(place: Place, how: str) -> None:
    """The first page is as it was, and the daemon itself misses nothing."""
    for number in range(20, 320):
        place.thread(number)
    with living(place, **QUICK) as daemon:
        wait_until_true(place)
        if how == "overwritten":
            with place.database.open("r+b") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(4096)
                file.write(b"\xa5" * (size - 4096))
        else:
            os.truncate(place.database, 5000)
        wait_until(lambda: daemon.says("building a new one") == 1, "seen", 20)
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize("is_new", [False, True])
def test_damage_that_is_looked_for_when_asked(place: Place, *, is_new: bool) -> None:
    """In the middle, where nobody comes by; of a database that it made itself, too."""
    for number in range(20, 320):
        place.thread(number)
    if not is_new:
        place.index()
    with living(place) as daemon:
        wait_until_true(place)
        # Nothing but the table of threads has whole paths.
        at = place.database.read_bytes().index(os.fsencode(place.home / watermark(150)))
        with place.database.open("r+b") as file:
            file.seek(at // 4096 * 4096)
            file.write(b"\xa5" * 4096)
        os.kill(daemon.process.pid, signal.SIGHUP)
        wait_until(lambda: daemon.says("building a new one") == 1, "seen", 20)
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_threads_that_somebody_changes(place: Place) -> None:
    """Seen long before it is time to compare everything."""
    with living(place) as daemon:
        for statement in (
            "UPDATE threads SET title = 'another', tokens_used = 5",
            "DELETE FROM threads WHERE id LIKE '%3'",
            "UPDATE threads SET id = 'nobody' WHERE id LIKE '%4'",
            "UPDATE rollouts SET thread_id = NULL WHERE path LIKE '%5.jsonl'",
            "UPDATE rollouts SET summary = replace(summary, 'prompt 2', 'evil')",
            "UPDATE home SET codex_home = '/nowhere', model_provider = 'evil'",
            "INSERT INTO session_names SELECT id, 'evil' FROM threads",
            "INSERT INTO thread_dynamic_tools SELECT id, 0, 'x', '', '{}', 0, NULL FROM threads",
        ):
            change(place.database, statement)
            append(place.home / watermark(1), tokens(7))
            wait_until_true(place)
        assert daemon.says("somebody else has changed") >= 2
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_progress_that_somebody_calls_pending(place: Place) -> None:
    with living(place, **QUICK) as daemon:
        change(place.database, "UPDATE backfill_state SET status = 'pending'")
        wait_until(
            lambda: rows(place.database, "SELECT status FROM backfill_state") == [("complete",)],
            "it is complete",
        )
        daemon.stop()


def test_status_shows_a_daemon_whose_database_cannot_be_opened(place: Place) -> None:
    with living(place, **QUICK) as daemon:
        folder = place.database.parent
        daemon.process.send_signal(signal.SIGSTOP)
        place.database.rename(folder / "aside")
        place.database.mkdir()
        done = place.run("status")
        assert done.code == 74
        assert f"process {daemon.process.pid} for" in done.stdout
        assert "not a file" in done.stdout
        document = place.run("status", "--json").document
        assert document["daemon"]["pid"] == daemon.process.pid
        assert document["backfill"] is None
        assert "not a file" in document["problem"]
        place.database.rmdir()
        (folder / "aside").rename(place.database)
        daemon.process.send_signal(signal.SIGCONT)
        daemon.stop()
