"""Where file events end: no room for watches, links, folders that move, folders closed to us."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemon.living import Daemon, append, living, wait_until_true
from tests.daemon.mounts import mounted, other_side
from tests.oracle.cases_build import tokens
from tests.running import Place, dump, rows, thread_id, wait_until, watermark
from tests.state.test_database import without_privileges

pytestmark = pytest.mark.alone

NO_ROOM = "no more file watches"
SOON_SECONDS = 2.0  # what takes longer was not found by an event


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in (1, 2, 3):
        made.thread(number)
    return made


def in_namespace(limit: str, most: int) -> tuple[str, ...]:
    """Starts a program where a limit of inotify's is that low, for it alone."""
    within = f'echo {most} > /proc/sys/user/{limit} && exec "$@"'
    prefix = ("unshare", "--user", "--map-root-user", "sh", "-c", within, "sh")
    if shutil.which("unshare") is None or subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("this machine lets nobody make user namespaces")
    return prefix


def make_room(daemon: Daemon, limit: str) -> None:
    target = f"--target={daemon.process.pid}"
    within = f"echo 1000 > /proc/sys/user/{limit}"
    subprocess.run(
        ["nsenter", target, "--user", "--preserve-credentials", "sh", "-c", within], check=True
    )


def watch_of(daemon: Daemon) -> str | None:
    state = daemon.state
    return None if state is None else state.watch


def watches_of(daemon: Daemon) -> int:
    """How many watches the kernel keeps for it."""
    count = 0
    for each in Path(f"/proc/{daemon.process.pid}/fdinfo").iterdir():
        count += each.read_text().count("inotify wd:")
    return count


def is_seen(place: Place, number: int, count: int) -> Callable[[], bool]:
    query = "SELECT 1 FROM threads WHERE id = ? AND tokens_used = ?"
    return lambda: bool(rows(place.database, query, thread_id(number), count))


@pytest.mark.parametrize("limit", ["max_inotify_watches", "max_inotify_instances"])
def test_no_room_for_watches_and_then_there_is(place: Place, limit: str) -> None:
    with living(place, prefix=in_namespace(limit, 0)) as daemon:
        assert watch_of(daemon) == "poll"
        append(place.home / watermark(1), tokens(5))
        place.thread(500)
        wait_until_true(place, 20)
        told = place.run("status")
        assert "polling" in told.stdout
        assert NO_ROOM in told.stdout
        assert NO_ROOM in place.status()["daemon"]["watch_problem"]
        append(place.home / watermark(2), tokens(6))
        wait_until_true(place, 20)
        assert daemon.says(NO_ROOM) == 1
        make_room(daemon, limit)
        wait_until(lambda: watch_of(daemon) == "native", "there are events again")
        append(place.home / watermark(1), tokens(7))
        wait_until(is_seen(place, 1, 7), "it is seen", SOON_SECONDS)
        assert place.status()["daemon"]["watch_problem"] is None
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_no_room_for_what_comes_later(place: Place) -> None:
    """The limit is met by a new folder, long after all was watched."""
    limit = "max_inotify_watches"
    with living(place, prefix=in_namespace(limit, 10)) as daemon:
        wait_until(lambda: watch_of(daemon) == "native", "there are events")
        for number in range(360, 360 * 8, 360):
            place.thread(number)
        wait_until(lambda: watch_of(daemon) == "poll", "it has no room")
        for number in range(360, 360 * 8, 360):
            append(place.home / watermark(number), tokens(number))
        wait_until_true(place, 20)
        assert daemon.says(NO_ROOM) == 1
        make_room(daemon, limit)
        wait_until(lambda: watch_of(daemon) == "native", "there are events again")
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_links_are_not_watched(place: Place, tmp_path: Path) -> None:
    """One to somewhere large costs nothing; one to a watched folder does not take its events."""
    day = (place.home / watermark(1)).parent
    (day / "everything").symlink_to("/")
    (day.parent / "alias").symlink_to(day)
    outside = tmp_path / "outside"
    outside.mkdir()
    (day / "elsewhere").symlink_to(outside)
    with living(place) as daemon:
        assert watch_of(daemon) == "native"
        for count in range(1, 4):
            append(place.home / watermark(1), tokens(count))
            wait_until(is_seen(place, 1, count), "it is seen", SOON_SECONDS)
        # The home, its one root, year, month, day.
        assert watches_of(daemon) == 5
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_folder_that_moves_is_watched_where_it_is(place: Place) -> None:
    path = place.home / watermark(1)
    day = path.parent
    with living(place) as daemon:
        for count, target in enumerate((day.with_name("other"), day, day.parents[1] / "x"), 1):
            day = day.rename(target)
            wait_until_true(place, SOON_SECONDS)
            append(day / path.name, tokens(count))
            wait_until(is_seen(place, 1, count), "it is seen", SOON_SECONDS)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_folder_made_anew_is_watched_again(place: Place) -> None:
    path = place.home / watermark(1)
    content = path.read_bytes()
    with living(place) as daemon:
        for count in range(1, 6):
            shutil.rmtree(path.parent)
            path.parent.mkdir()
            path.write_bytes(content)
            wait_until_true(place, 5)
            append(path, tokens(count))
            wait_until(is_seen(place, 1, count), "it is seen", SOON_SECONDS)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_folder_that_cannot_be_listed_does_not_cost_the_others_their_events(
    place: Place,
) -> None:
    closed = place.home / "sessions" / "2026" / "00"
    closed.mkdir(mode=0)
    path = closed / Path(watermark(9)).name
    with living(place, prefix=without_privileges()) as daemon:
        assert watch_of(daemon) == "native"
        append(place.home / watermark(1), tokens(5))
        wait_until(is_seen(place, 1, 5), "it is seen", SOON_SECONDS)
        closed.chmod(0o700)
        place.thread(9, path=f"sessions/2026/00/{path.name}")
        wait_until(is_seen(place, 9, 0), "it is seen", SOON_SECONDS)
        append(path, tokens(6))
        wait_until(is_seen(place, 9, 6), "it is seen", SOON_SECONDS)
        daemon.hang_up()
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_root_that_is_closed_and_opened_again_is_watched_again(place: Place) -> None:
    root = place.home / "sessions"
    with living(place, prefix=without_privileges()) as daemon:
        for count in range(1, 4):
            root.chmod(0)
            wait_until(lambda: daemon.says("cannot be listed") == count, "it is closed", 20)  # noqa: B023
            wait_until(lambda: watches_of(daemon) == 1, "only the home is watched")
            root.chmod(0o700)
            wait_until(lambda: daemon.says("home is there again") == count, "it is open", 20)  # noqa: B023
            append(place.home / watermark(1), tokens(count))
            wait_until(is_seen(place, 1, count), "it is seen", SOON_SECONDS)
        assert watches_of(daemon) == 5
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_names_are_followed_by_events(place: Place) -> None:
    index = place.home / "session_index.jsonl"
    text = '{{"id":"{}","thread_name":"name {}"}}\n'
    query = "SELECT 1 FROM threads WHERE name = ?"
    index.write_text("")
    with living(place) as daemon:
        for count in range(1, 6):
            if count % 2:
                with index.open("a") as file:
                    file.write(text.format(thread_id(1), count))
            else:
                new = index.with_name("new")
                new.write_text(text.format(thread_id(1), count))
                new.rename(index)
            name = f"name {count}"
            wait_until(lambda name=name: rows(place.database, query, name), "it is named", 1)  # type: ignore[misc]
        index.unlink()
        wait_until(lambda: not rows(place.database, query, "name 5"), "it is not named", 1)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_name_that_is_not_utf8_costs_no_event(place: Place) -> None:
    day = (place.home / watermark(1)).parent
    with living(place) as daemon:
        before = daemon.state and daemon.state.watch_restarts
        for count in range(1, 4):
            (day / f"rollout-{count}\udcff.jsonl").touch()
            (day / f"day-{count}\udcff").mkdir()
            append(place.home / watermark(1), tokens(count))
            wait_until(is_seen(place, 1, count), "it is seen", SOON_SECONDS)
            wait_until(
                lambda: place.status()["rollouts"]["failed"] == count,  # noqa: B023
                "it is said",
                SOON_SECONDS,
            )
        wait_until_true(place)
        assert daemon.state is not None
        assert daemon.state.watch == "native"
        assert daemon.state.watch_restarts == before
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_mount_without_events_is_polled(place: Place, tmp_path: Path) -> None:
    """What changes on the other side of it is found all the same, and that it is so, told."""
    source = tmp_path / "source"
    place.home.rename(source)
    place.home.mkdir()
    with other_side(source, place.home, "sshfs"), living(place) as daemon:
        assert watch_of(daemon) == "poll"
        assert "polling" in place.run("status").stdout
        append(source / watermark(1), tokens(5))
        wait_until(is_seen(place, 1, 5), "it is seen", 10)
        day = source / "sessions" / "2026" / "12"
        shutil.copytree((source / watermark(2)).parent, day)
        wait_until_true(place)
        daemon.stop()
    assert place.status()["daemon"] is None


@pytest.mark.parametrize("watch", ["auto", "native"])
def test_a_mount_that_has_events_only_of_its_own(place: Place, tmp_path: Path, watch: str) -> None:
    """Asked to, we watch where nothing is to be expected; the rest is the reconcile's."""
    source = tmp_path / "source"
    place.home.rename(source)
    place.home.mkdir()
    kind = "sshfs" if watch == "native" else "unheard-of"
    environment = {"ROLLOUTD_WATCH": watch, "ROLLOUTD_RECONCILE_SECONDS": "3"}
    with other_side(source, place.home, kind), living(place, **environment) as daemon:  # type: ignore[arg-type]
        assert watch_of(daemon) == "native"
        append(place.home / watermark(1), tokens(5))
        wait_until(is_seen(place, 1, 5), "it is seen", SOON_SECONDS)
        append(source / watermark(1), tokens(6))
        wait_until(is_seen(place, 1, 6), "it is seen", 10)
        daemon.stop()


def test_a_folder_of_which_no_event_tells_is_watched_once_a_reconcile_has_found_it(
    place: Place,
) -> None:
    """As one that is mounted: its files are found by looking, and then followed by events."""
    elsewhere = place.root / "elsewhere"
    path = place.thread(500)
    path.parent.rename(elsewhere)
    path.parent.mkdir()
    with living(place, ROLLOUTD_RECONCILE_SECONDS="5") as daemon:
        wait_until_true(place)
        with mounted(path.parent, "--bind", os.fspath(elsewhere)):
            wait_until_true(place)
            took = []
            for count in range(100, 106):
                began = time.monotonic()
                append(path, tokens(count))
                wait_until(is_seen(place, 500, count), "it is seen")
                took.append(time.monotonic() - began)
            assert max(took[-3:]) < 1, took
        daemon.stop()
