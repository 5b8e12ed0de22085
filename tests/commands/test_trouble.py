"""What the commands that read say of a database that is not as it should be: a clear line each."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running import Done, Place, change, state_of, thread_id, watermark
from tests.state.test_reader import locked

COMMANDS = (("list",), ("show", thread_id(1)), ("path", thread_id(1)))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.make(tmp_path)
    place.thread(1)
    place.index()
    return place


@contextmanager
def each(place: Place, **environment: str) -> Iterator[list[Done]]:
    """What each of the commands answers; in any case without a traceback."""
    answers = [place.run(*command, prefix=(), **environment) for command in COMMANDS]
    yield answers
    for done in answers:
        assert "Traceback" not in done.stderr
        assert all(line.startswith("rolloutd: ") for line in done.stderr.splitlines()), done


@contextmanager
def refused(place: Place, code: int, words: str, **environment: str) -> Iterator[None]:
    with each(place, **environment) as answers:
        for done in answers:
            assert (done.code, done.stdout) == (code, ""), done
            assert words in done.stderr
            assert len(done.stderr.splitlines()) == 1
        yield


def test_none_yet(place: Place) -> None:
    """The files are read instead; nothing is made."""
    for file in place.database.parent.iterdir():
        file.unlink()
    with each(place) as answers:
        for done in answers:
            assert done.code == 0
            assert done.stdout
            assert "there is no database yet; `rolloutd backfill` makes it" in done.stderr
            assert len(done.stderr.splitlines()) == 1
    assert list(place.database.parent.iterdir()) == []


def test_neither_database_nor_home(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    (place.home / "sessions").rmdir()
    with each(place) as answers:
        for done in answers:
            assert (done.code, done.stdout) == (69, ""), done
            assert "sessions/" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("damage", ["garbage", "cut"])
def test_corrupt(place: Place, damage: str) -> None:
    content = place.database.read_bytes()
    place.database.write_bytes(b"garbage!" * 999 if damage == "garbage" else content[:6000])
    with each(place) as answers:
        for done in answers:
            assert (done.code, done.stdout) == (74, ""), done
            assert str(place.database) in done.stderr
            assert len(done.stderr.splitlines()) == 1


def test_of_another_version(place: Place) -> None:
    change(place.database, "UPDATE alembic_version SET version_num = '9999'")
    with refused(place, 74, "written by a newer rolloutd (revision 9999"):
        pass
    change(place.database, "UPDATE alembic_version SET version_num = '0001'")
    with refused(place, 74, "of an older revision (0001, this rolloutd reads"):
        pass


def test_locked(place: Place) -> None:
    with locked(place.database), refused(place, 74, "another process"):
        pass


def test_of_another_home(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "sessions").mkdir(parents=True)
    with refused(place, 78, f"the index of {place.home}, not of {other}", CODEX_HOME=str(other)):
        pass


def test_a_setting_is_wrong(place: Place) -> None:
    with refused(place, 78, "watch = 'often': allowed", ROLLOUTD_WATCH="often"):
        pass
    with refused(place, 78, "ROLLOUTD_NO_SUCH", ROLLOUTD_NO_SUCH="1"):
        pass


def test_being_rebuilt_or_not_complete(place: Place) -> None:
    working = (
        "status = 'running', scanned = 3, total = 9, owner_token = 'x', owner_host = 'h',"
        " owner_pid = 17, lease_expires_at_ms = 9999999999999"
    )
    for change_of_state, words in (
        (working, "the index is being rebuilt: 3 of 9 files, process 17 on h"),
        ("last_success_at = NULL", "the index is not complete yet: 3 of 9 files"),
        ("status = 'pending', reason = 'interrupted'", "the index is not complete (interrupted)"),
    ):
        change(place.database, f"UPDATE backfill_state SET {change_of_state}")
        with each(place) as answers:
            for done in answers:
                assert done.code == 0, done
                assert done.stdout
                assert done.stderr.startswith(f"rolloutd: {words}")
                assert len(done.stderr.splitlines()) == 1


def test_a_real_rebuild(place: Place) -> None:
    """Whoever asks meanwhile gets an answer."""
    for number in range(2, 60):
        place.thread(number)
    with place.started("backfill", "--rebuild", "--batch-size", "1") as backfill:
        while backfill.poll() is None:
            assert thread_id(1) in place.run("path", thread_id(1)).stdout
            assert place.run("list", "--json").code == 0
    assert state_of(place.database)["status"] == "complete"


def test_grown_old(place: Place) -> None:
    long_ago = int(time.time()) - 3 * 86_400
    change(place.database, "UPDATE backfill_state SET last_success_at = ?", long_ago)
    with each(place) as answers:
        for done in answers:
            assert done.code == 0
            assert done.stderr.startswith("rolloutd: the index was true 3 d ago: `rolloutd backf")


def test_taken_away_while_asked(place: Place) -> None:
    """Of a home that is not there now, rows are shown, and nothing is verified."""
    (place.home / "sessions").rename(place.home / "away")
    assert place.run("list").code == 0
    done = place.run("path", thread_id(1))
    assert (done.code, done.stdout) == (1, "")
    assert "cannot be verified: " in done.stderr
    assert watermark(1) in place.run("show", thread_id(1)).stdout
