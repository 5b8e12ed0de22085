"""Homes and roots that come, go, are replaced, cannot be read, or flood the watch."""

import json
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.daemon.living import Daemon, append, living, wait_until_true
from tests.daemon.mounts import mounted, small_disk
from tests.daemon.scraping import scrape
from tests.faults.processes import stat_of
from tests.metrics.samples import series
from tests.oracle.cases_build import meta, tokens
from tests.running import Place, change, dump, rows, thread_id, wait_until, watermark
from tests.state.test_database import without_privileges


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


def count(place: Place) -> int:
    return int(rows(place.database, "SELECT count(*) FROM threads")[0][0])


def test_a_home_that_is_not_there_yet(place: Place) -> None:
    shutil.rmtree(place.home)
    with living(place, phase="waiting") as daemon:
        assert daemon.state is not None
        assert "no such Codex home" in str(daemon.state.problem)
        place.home.mkdir()
        wait_until(lambda: "no sessions/" in str(daemon.state and daemon.state.problem), "told", 5)
        place.thread(1)
        daemon.wait_for("following")
        wait_until_true(place)
        place.thread(2)
        wait_until_true(place)
        assert daemon.says("waiting:") == 1
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_root_that_goes_away_and_comes_back(place: Place) -> None:
    for number in range(20):
        place.thread(number)
    away = place.root / "away"
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        for _ in range(2):
            (place.home / "sessions").rename(away)
            wait_until(lambda: daemon.state and daemon.state.problem, "it is missed", 10)
            assert count(place) >= 20
            away.rename(place.home / "sessions")
            wait_until(lambda: daemon.state and not daemon.state.problem, "it is back", 10)
            append(place.thread(1), tokens(5))
            place.thread(30)
            wait_until_true(place)
        assert daemon.says("its rows are kept") == 2
        daemon.stop()
    assert dump(place.database) == place.fresh()


def is_missed(daemon: Daemon) -> bool:
    problem = str(daemon.state and daemon.state.problem)
    return "sessions/ is empty, on another file system than its rollouts were" in problem


def test_a_root_that_an_empty_file_system_hides(place: Place) -> None:
    for number in range(20):
        place.thread(number)
    with (
        living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon,
        small_disk(place.home / "sessions", 1 << 20),
    ):
        wait_until(lambda: is_missed(daemon), "it is missed", 10)
        append(place.home / "sessions/notes.txt", b"no rollout")
        daemon.hang_up()
        daemon.stop()
        for command in ("backfill", "verify"):
            done = place.run(command)
            assert (done.code, done.stdout) == (69, "")
            assert "sessions/ is empty, on another file system" in done.stderr
        with living(place, phase="waiting", ROLLOUTD_RECONCILE_SECONDS="1") as another:
            assert is_missed(another)
            assert count(place) == 20
            listed = place.run("list", "--json")
            assert (len(listed.document["threads"]), listed.stderr) == (20, "")
            told = place.run("path", thread_id(1))
            assert told.code == 1
            assert "cannot be verified" in told.stderr
            assert "/sessions is empty, on another file system" in told.stderr
            assert rows(place.database, "SELECT path FROM rollouts WHERE parser_version = 0") == []
            # With anything in it, it is the one that is used now.
            place.thread(70)
            wait_until_true(place)
            assert count(place) == 1
            another.stop()
    with living(place) as daemon:
        wait_until_true(place)
        assert count(place) == 20
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_layers_have_devices_of_their_own(place: Place, tmp_path: Path) -> None:
    """On an overlay, as in a container, a file is seldom on the device of its directory."""
    layers = tmp_path / "layers"
    layers.mkdir()
    with small_disk(layers, 1 << 20):
        for name in ("below", "above", "work"):
            (layers / name).mkdir()
        options = f"lowerdir={layers}/below,upperdir={layers}/above,workdir={layers}/work"
        with mounted(place.home / "sessions", "-t", "overlay", "-o", options, "layers"):
            place.thread(1)
            place.index()
            # A device that is no file system's: as the kernel tells of a file below.
            change(place.database, "UPDATE rollouts SET device = device + 1")
            (place.home / watermark(1)).unlink()
            place.index()
            assert count(place) == 0


def test_disks_that_come_and_go_while_nobody_looks(place: Place) -> None:
    """That of the archive leaves an empty folder behind; another hides a year of the sessions."""
    of_last_year = "sessions/2025/01/02/rollout-2025-01-02T03-04-05-{}.jsonl"
    archive, year = place.home / "archived_sessions", place.home / "sessions/2025"
    archive.mkdir()
    place.thread(1)
    with small_disk(archive, 1 << 20):
        for number in range(20, 40):
            place.thread(number, path=watermark(number, root="archived_sessions"))
            place.thread(number + 20, path=of_last_year.format(thread_id(number + 20)))
        place.index()
        assert count(place) == 41
    (place.home / watermark(1)).unlink()
    place.thread(2)
    with small_disk(year, 1 << 20):
        with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
            wait_until(lambda: daemon.says("archived_sessions/ is empty") == 1, "it is said", 10)
            assert count(place) == 41
            assert rows(place.database, "SELECT id FROM threads WHERE id = ?", thread_id(1)) == []
            for option, number in (("--archived", 20), ("--active", 21)):
                listed = place.run("list", "--json", option)
                assert (len(listed.document["threads"]), listed.stderr) == (number, "")
            daemon.stop()
        done = place.run("verify", "--json")
        assert done.code == 0, done
        notes = Counter(each["kind"] for each in json.loads(done.stdout)["notes"])
        assert notes == {"unreachable": 40}
        assert place.run("backfill", "--rebuild").code == 0
        assert count(place) == 1
    place.index()
    assert count(place) == 21
    assert dump(place.database) == place.fresh()


def test_what_is_archived_while_the_rest_is_away(place: Place) -> None:
    """That it lies there now says enough of where it is no more."""
    for number in (1, 2):
        place.thread(number)
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        wait_until_true(place)
        archive = place.home / "archived_sessions"
        archive.mkdir()
        moved = (place.home / watermark(1)).rename(archive / Path(watermark(1)).name)
        (place.home / "sessions").rename(place.root / "away")
        told = place.run("path", thread_id(1))
        assert (told.code, told.stdout.strip()) == (0, str(moved))
        query = "SELECT id, archived FROM threads ORDER BY id"
        expected = [(thread_id(1), 1), (thread_id(2), 0)]
        wait_until(lambda: rows(place.database, query) == expected, "it is seen", 10)
        assert place.run("path", thread_id(2)).code == 1
        (place.root / "away").rename(place.home / "sessions")
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_file_system_that_has_got_another_number(place: Place) -> None:
    """As many do when they are mounted again: what was deleted before is gone all the same."""
    place.thread(1, path=f"sessions/2025/01/02/rollout-2025-01-02T03-04-05-{thread_id(1)}.jsonl")
    place.thread(2)
    place.index()
    change(place.database, "UPDATE rollouts SET device = device + 1")
    next((place.home / "sessions/2025/01/02").iterdir()).unlink()
    place.index()
    assert count(place) == 1
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize("seconds", ["1", "60"])
def test_a_root_that_is_replaced(place: Place, seconds: str) -> None:
    for number in range(20):
        place.thread(number)
    with living(place, ROLLOUTD_RECONCILE_SECONDS=seconds) as daemon:
        for round_ in range(3):
            shutil.rmtree(place.home / "sessions")
            for number in range(10 + round_):
                place.thread(number)
            wait_until_true(place)
            place.thread(200 + round_)
            wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_names_that_are_not_utf8(place: Place) -> None:
    place.thread(1)
    folder = os.fsencode(place.home / "sessions/2026/01/01")
    with living(place, ROLLOUTD_RECONCILE_SECONDS="5") as daemon:
        for name in (b"/rollout-\xff.jsonl", b"/rollout-\xfe\xff.jsonl"):
            with open(folder + name, "wb") as file:  # noqa: PTH123
                file.write(b"{}\n")
            place.thread(2)
            wait_until_true(place)
            place.thread(3)
            wait_until_true(place)
        os.mkdir(folder + b"/\xff")  # noqa: PTH102
        with open(folder + b"/\xff/rollout-x.jsonl", "wb") as file:  # noqa: PTH123
            file.write(b"{}\n")
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


@pytest.fixture
def place_in_memory(tmp_path: Path) -> Iterator[Place]:
    """Where 30,000 files are made in a tenth of the time, if there is such a place."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Place.make(Path(folder))


def flood(place: Place, files: int) -> None:
    """Threads of their own, as fast as they can be written, into folders that are there."""
    line = meta().replace(b"@id@", b"%s") + b"\n"
    for number in range(files):
        path = place.home / watermark(number)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, line % thread_id(number).encode())
        os.close(descriptor)


def on_disk(place: Place) -> set[tuple[object, ...]]:
    """What a row has to say of each file (and a fresh backfill of 30,000 would take long for)."""
    found: set[tuple[object, ...]] = set()
    for path in (place.home / "sessions").rglob("*.jsonl"):
        status, name = path.stat(), path.relative_to(place.home).as_posix()
        thread = path.stem[-36:]
        found.add((name, thread, status.st_ino, status.st_size, status.st_mtime_ns, None))
    return found


@pytest.mark.timeout(240)
def test_more_events_than_the_kernel_keeps(place_in_memory: Place) -> None:
    place = place_in_memory
    for number in range(0, 30_000, 360):  # one for each day
        place.thread(number)
    with living(place) as daemon:
        daemon.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: (stat_of(daemon.process.pid) or "?")[0] == "T", "it stands still")
        flood(place, 30_000)
        daemon.process.send_signal(signal.SIGCONT)
        wait_until(lambda: count(place) == 30_000, "all are seen", 60, pause=0.1)
        query = "SELECT path, thread_id, inode, size, mtime_ns, error FROM rollouts"
        assert set(rows(place.database, query)) == on_disk(place)
        assert scrape(daemon)[series("events_lost_total")] >= 1
        daemon.stop()


def test_a_home_that_cannot_be_read_and_can_again(place: Place) -> None:
    for number in range(5):
        place.thread(number)
    with living(place, prefix=without_privileges(), ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        for closed in (place.home / "sessions", place.home / "sessions/2026/01", place.home):
            mode = closed.stat().st_mode
            closed.chmod(0)
            wait_until(
                lambda closed=closed: (
                    (daemon.state and daemon.state.problem)  # type: ignore[misc]
                    or "01" in closed.name
                ),
                "it is missed",
            )
            daemon.hang_up()
            assert count(place) >= 5
            closed.chmod(mode)
            place.thread(int(mode % 100) + len(closed.parts))
            wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize("watch", ["poll"])
def test_polling(place: Place, watch: str) -> None:
    with living(place, ROLLOUTD_WATCH=watch) as daemon:
        assert daemon.state is not None
        assert daemon.state.watch == "poll"
        path = place.thread(1)
        wait_until_true(place)
        append(path, tokens(5))
        wait_until_true(place)
        daemon.stop()


def test_hang_up_looks_at_everything_now(place: Place) -> None:
    place.thread(1)
    with living(place) as daemon:
        assert daemon.state is not None
        before = daemon.state.last_reconcile_ms
        daemon.hang_up()
        wait_until(lambda: daemon.state and daemon.state.last_reconcile_ms != before, "it did", 3)
        daemon.stop()


def test_an_archive_that_goes_away_is_said_once_and_keeps_its_rows(place: Place) -> None:
    place.thread(70, path=watermark(70, root="archived_sessions"))
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        wait_until_true(place)
        (place.home / "archived_sessions").rename(place.root / "away")
        wait_until(lambda: daemon.says("archived_sessions/ is not there any more"), "it is said")
        assert rows(place.database, "SELECT id FROM threads WHERE archived") == [(thread_id(70),)]
        (place.root / "away").rename(place.home / "archived_sessions")
        wait_until(lambda: daemon.says("archived_sessions/ is there again"), "it is said")
        wait_until_true(place)
        daemon.stop()
        assert daemon.says("archived_sessions/ is not there any more") == 1
