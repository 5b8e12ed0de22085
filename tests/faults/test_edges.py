"""What a careful adversary found: each ended in a wrong row, a hang, a traceback or a flood."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from rolloutd.errors import DatabaseUnavailable, HomeUnavailable
from rolloutd.progress import QuietObserver
from rolloutd.state.database import StateDatabase
from tests.faults.processes import children_of
from tests.oracle.cases_build import meta, user
from tests.running import Place, dump, index, rows, state_of, thread_id, wait_until, watermark

MB = 1_000_000


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


def peak_of(pid: int) -> int:
    """The most memory that a process has had until now, in bytes; 0 if it has ended.

    (What wait4 tells is no less than what the parent had when it forked.)
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


class AtFile(QuietObserver):
    """Does something once so many files are done."""

    def __init__(self, files: int, act: Callable[[], object]) -> None:
        super().__init__()
        self._left = files
        self._act = act

    def advance(self, files: int, size: int) -> None:  # noqa: ARG002
        self._left -= files
        if files and self._left == 0:
            self._act()


@pytest.mark.parametrize("year", [1600, 1969, 2300])
def test_a_time_that_no_database_can_hold(place: Place, year: int) -> None:
    path = place.thread(1)
    place.thread(2)
    subprocess.run(["touch", "-d", f"{year}-01-01T00:00:00Z", path], check=True)
    for _ in range(2):
        place.index()
        assert rows(place.database, "SELECT count(*) FROM threads") == [(2,)]
    assert place.backfill()["upserted"] == 0  # and it is not taken for changed each time
    assert dump(place.database) == place.fresh()


def test_a_root_that_goes_away_during_a_pass_takes_no_row_with_it(place: Place) -> None:
    for number in range(300):
        place.thread(number)
    place.index()
    sessions = place.home / "sessions"
    gone = AtFile(100, lambda: shutil.move(sessions, place.home / "elsewhere"))
    with pytest.raises(HomeUnavailable):
        index(place.home, place.database, rebuild=True, observer=gone)
    assert rows(place.database, "SELECT count(*) FROM threads") == [(300,)]
    shutil.move(place.home / "elsewhere", sessions)
    place.index()
    assert dump(place.database) == place.fresh()


def test_a_rebuild_forgets_an_archive_that_is_no_more(place: Place) -> None:
    place.thread(1)
    archived = place.thread(2, path=watermark(2, root="archived_sessions"))
    place.index()
    archived.unlink()
    archived.parent.rmdir()
    place.index()
    assert rows(place.database, "SELECT count(*) FROM threads") == [(2,)]  # it may be unmounted
    index(place.home, place.database, rebuild=True)
    assert dump(place.database) == place.fresh()


def test_a_writer_that_does_not_end_is_waited_for_as_long_as_was_asked(place: Place) -> None:
    place.thread(1)
    place.index()
    place.thread(2)
    with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = place.run("backfill", "--wait-seconds", "0")
        assert (done.code, done.stdout) == (75, "")
        assert "writing to the database" in done.stderr
        with place.started("backfill", "--json") as process:
            assert process.stderr is not None
            assert "waiting" in process.stderr.readline()
            other.execute("ROLLBACK")
            assert process.wait(timeout=30) == 0
    assert dump(place.database) == place.fresh()


def test_a_writer_that_does_not_end_leaves_us_able_to_stop(place: Place) -> None:
    place.thread(1)
    place.index()
    with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with place.started("backfill") as process:
            assert process.stderr is not None
            assert "waiting" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=5) == 1


def test_a_database_that_is_taken_away_meanwhile_is_not_called_complete(place: Place) -> None:
    for number in range(20):
        place.thread(number)
    away = AtFile(10, place.database.unlink)
    with pytest.raises(DatabaseUnavailable, match="deleted or replaced"):
        index(place.home, place.database, observer=away)
    place.index()
    assert dump(place.database) == place.fresh()


def test_only_what_may_be_a_database_is_moved_aside(place: Place, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("remember the milk\n" * 100)
    done = place.run("backfill", ROLLOUTD_DATABASE=str(notes))
    assert done.code == 74
    assert notes.read_text() == "remember the milk\n" * 100
    assert [path.name for path in tmp_path.glob("notes.txt*")] == ["notes.txt"]


def test_one_home_may_be_spelt_in_two_ways(place: Place, tmp_path: Path) -> None:
    place.thread(1)
    (tmp_path / "user" / ".codex").symlink_to(place.home)
    environment = {"CODEX_HOME": "", "HOME": str(tmp_path / "user")}
    for spelling in ({}, environment, {}):
        place.backfill(**spelling)
        [(path,)] = rows(place.database, "SELECT rollout_path FROM threads")
        assert path.startswith(str(tmp_path / "user" / ".codex" if spelling else place.home))


def test_summaries_of_another_version_are_read_again(place: Place) -> None:
    place.thread(1)
    place.thread(1, path=watermark(1, root="archived_sessions"))
    place.thread(2)
    place.index()
    with (
        StateDatabase.open_writer(place.database) as database,
        database.transaction() as connection,
    ):
        novel = '{"lines":"many","novel":[1]}'
        connection.execute("UPDATE rollouts SET parser_version = 99, summary = ?", (novel,))
    place.backfill("--batch-size", "1")
    assert dump(place.database) == place.fresh()


def test_long_messages_do_not_flood_the_memory(place: Place) -> None:
    for number in range(60):
        place.thread(number, meta(), user("x" * 3 * MB))
    peaks = [0]
    with place.started("backfill") as process:

        def has_ended() -> bool:
            family = (process.pid, *(pid for pid, _ in children_of(process.pid)))
            peaks.extend(peak_of(pid) for pid in family)
            return process.poll() is not None

        wait_until(has_ended, "it is done", 60)
    assert process.returncode == 0
    # All texts together are 180 MB, and each is in three columns.
    assert 20 * MB < max(peaks) < 200 * MB
    assert rows(place.database, "SELECT count(*) FROM threads") == [(60,)]
    [(size,)] = rows(place.database, "SELECT length(summary) FROM rollouts LIMIT 1")
    assert size < 3.1 * MB


def test_a_user_without_a_home_directory_is_told_so(place: Place) -> None:
    environment = {"PATH": os.environ["PATH"]}
    code = "import pwd, sys\npwd.getpwuid = {}.__getitem__\nfrom rolloutd.cli import main\nmain()"
    nothing = subprocess.run(
        [sys.executable, "-c", code, "status"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (nothing.returncode, nothing.stdout) == (78, "")
    assert "no home directory" in nothing.stderr
    place.thread(1)
    told = environment | {
        "CODEX_HOME": str(place.home),
        "ROLLOUTD_DATABASE": str(place.database),
    }
    done = subprocess.run(
        [sys.executable, "-c", code, "backfill"],
        env=told,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_keep_the_work_from_being_done(place: Place, closed: str) -> None:
    place.thread(1)
    command = f'"{sys.executable}" -m rolloutd backfill {closed}'
    done = subprocess.run(["sh", "-c", command], env=place.environment, check=False)
    assert done.returncode == 0
    assert rows(place.database, "SELECT id FROM threads") == [(thread_id(1),)]


def test_an_output_that_cannot_be_written_is_said(place: Place) -> None:
    place.thread(1)
    place.index()
    command = f'"{sys.executable}" -m rolloutd status > /dev/full'
    done = subprocess.run(
        ["sh", "-c", command], env=place.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "rolloutd: the output cannot be written: No space left on device\n"


def test_readers_of_a_killed_parent_die_in_silence(place: Place) -> None:
    for number in range(400):
        place.thread(number)
    with place.started("backfill", "--batch-size", "5") as process:
        wait_until(lambda: state_of(place.database).get("scanned"), "it works")
        process.kill()
        _, complaints = process.communicate(timeout=30)
    assert complaints == ""
