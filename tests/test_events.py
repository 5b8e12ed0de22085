"""File events, of real files: from inotify itself, and from watchfiles."""

import os
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rolloutd.events.directories import DirectoryWatches
from rolloutd.events.trees import TreeWatches
from rolloutd.events.watches import FileEvent, Watches
from rolloutd.stamp import stamp_of
from tests.daemon.mounts import mounted
from tests.running import wait_until

NAME = "rollout-2026-01-02T03-04-05-00000000-0000-4000-8000-000000000001.jsonl"
BOUND_SECONDS = 10.0
QUIET_SECONDS = 0.3

Make = Callable[[Path], Watches]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / "sessions" / "2026" / "01").mkdir(parents=True)
    (tmp_path / "home" / "session_index.jsonl").touch()
    return tmp_path / "home"


@pytest.fixture
def watches(home: Path) -> Iterator[DirectoryWatches]:
    with closing(DirectoryWatches(home)) as made:
        yield made


def told(watches: Watches) -> list[tuple[str, str]]:
    """All that is told until nothing more is; something has to be."""
    events = watches.wait(BOUND_SECONDS)
    assert events, "nothing was told"
    while more := watches.wait(QUIET_SECONDS):
        events += more
    return [(event.kind, event.path) for event in events]


@pytest.mark.parametrize("make", [DirectoryWatches, TreeWatches])
def test_what_happens_to_a_rollout_is_told(home: Path, make: Make) -> None:
    path = home / "sessions" / "2026" / "01" / NAME
    with closing(make(home)) as watches:
        path.write_text("{}\n")
        assert ("added", str(path)) in told(watches)
        with path.open("a") as file:
            file.write("{}\n")
        assert set(told(watches)) == {("modified", str(path))}
        path.rename(path.with_suffix(".jsonl.zst"))
        assert {("deleted", str(path)), ("added", f"{path}.zst")} <= set(told(watches))


@pytest.mark.parametrize("make", [DirectoryWatches, TreeWatches])
def test_what_happens_to_the_session_index_is_told(home: Path, make: Make) -> None:
    index = home / "session_index.jsonl"
    with closing(make(home)) as watches:
        index.write_text("{}\n")
        assert set(told(watches)) == {("modified", str(index))}
        index.with_name("new").touch()
        index.with_name("new").rename(index)
        assert str(index) in {path for _, path in told(watches)}
        assert watches.are_outdated()
        watches.renew()
        assert not watches.are_outdated()
        index.write_text("{}\n{}\n")
        assert ("modified", str(index)) in told(watches)


@pytest.mark.parametrize("make", [DirectoryWatches, TreeWatches])
def test_a_stop_ends_a_wait_from_another_thread(home: Path, make: Make) -> None:
    with closing(make(home)) as watches:
        began = time.monotonic()
        timer = threading.Timer(0.1, watches.stop)
        timer.start()
        assert watches.wait(BOUND_SECONDS) == []
        timer.join()
        assert watches.wait(BOUND_SECONDS) == []
        assert time.monotonic() - began < BOUND_SECONDS / 2


def test_a_wait_for_nothing_sleeps(watches: DirectoryWatches) -> None:
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
    assert watches.wait(1) == []
    assert resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before <= 2


def test_whoever_writes_all_the_time_is_told_of_a_few_times_a_second(
    home: Path, watches: DirectoryWatches
) -> None:
    path = home / "sessions" / "2026" / "01" / NAME
    path.touch()
    told(watches)
    written = threading.Event()

    def write() -> None:
        with path.open("a", buffering=1) as file:
            for _ in range(500):
                file.write("{}\n")
                time.sleep(0.002)
        written.set()

    writer = threading.Thread(target=write)
    writer.start()
    began, count = time.monotonic(), 0
    while not written.is_set():
        count += bool(watches.wait(BOUND_SECONDS))
    writer.join()
    assert 2 <= count <= (time.monotonic() - began) / 0.15 + 2


def test_a_new_directory_is_watched_once_they_are_renewed(
    home: Path, watches: DirectoryWatches
) -> None:
    day = home / "sessions" / "2026" / "02" / "03"
    day.mkdir(parents=True)
    assert told(watches) == [("added", str(day.parent))]
    assert watches.are_outdated()
    watches.renew()
    assert not watches.are_outdated()
    (day / NAME).touch()
    assert ("added", str(day / NAME)) in told(watches)


def test_a_directory_that_moves_keeps_its_watch_under_its_new_name(
    home: Path, watches: DirectoryWatches
) -> None:
    month = home / "sessions" / "2026" / "01"
    moved = month.rename(month.with_name("02"))
    assert ("deleted", str(month)) in told(watches)
    watches.renew()
    (moved / NAME).touch()
    assert {path for _, path in told(watches)} == {str(moved / NAME)}


def test_a_directory_made_anew_is_watched_anew(home: Path, watches: DirectoryWatches) -> None:
    """With what was told of the old one not read yet, and its inode used again, maybe."""
    month = home / "sessions" / "2026" / "01"
    for _ in range(5):
        shutil.rmtree(month)
        month.mkdir()
        watches.renew()
        told(watches)
        assert not watches.are_outdated()
        (month / NAME).touch()
        assert ("added", str(month / NAME)) in told(watches)


def test_roots_that_come_and_go_are_told(home: Path, watches: DirectoryWatches) -> None:
    (home / "archived_sessions").mkdir()
    assert told(watches) == [("added", str(home / "archived_sessions"))]
    # As of a root that was closed to us when the watches were armed.
    (home / "archived_sessions").chmod(0o750)
    assert told(watches) == [("modified", str(home / "archived_sessions"))]
    shutil.rmtree(home / "sessions")
    assert ("deleted", str(home / "sessions")) in told(watches)
    home.rename(home.with_name("elsewhere"))
    assert ("deleted", str(home)) in told(watches)


def test_nothing_else_is_told(home: Path, watches: DirectoryWatches) -> None:
    (home / "state.sqlite").touch()
    (home / "log").mkdir()
    day = home / "sessions" / "2026" / "01"
    (day / "notes.txt").touch()
    (day / "link").symlink_to("/")
    (day / ".rollout.tmp").touch()
    assert watches.wait(QUIET_SECONDS) == []


def test_a_name_that_is_no_text_tells_of_its_directory(
    home: Path, watches: DirectoryWatches
) -> None:
    day = home / "sessions" / "2026" / "01"
    (day / "rollout-\udcff.jsonl").touch()
    (day / "\udcfe").mkdir()
    assert set(told(watches)) == {("modified", str(day))}
    assert not watches.are_outdated()


def test_events_that_the_kernel_has_dropped_are_told(home: Path, watches: DirectoryWatches) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    day = home / "sessions" / "2026" / "01"
    paths = [day / NAME, day / f"{NAME}.zst"]
    for path in paths:
        path.touch()
    told(watches)
    # One event after another of the same thing is kept once only.
    for _ in range(most // len(paths) + 1):
        for path in paths:
            os.utime(path)
    assert ("lost", str(home)) in told(watches)
    paths[0].touch()
    assert told(watches) == [("modified", str(paths[0]))]


def test_a_directory_that_is_mounted_twice_is_told_of_by_both_names(home: Path) -> None:
    month = home / "sessions" / "2026" / "01"
    other = home / "sessions" / "2026" / "02"
    other.mkdir()
    with mounted(other, "--bind", os.fspath(month)), closing(DirectoryWatches(home)) as watches:
        assert not watches.are_outdated()
        (month / NAME).touch()
        expected = {str(month / NAME), str(other / NAME)}
        assert {path for _, path in told(watches)} == expected


def test_a_file_system_that_is_taken_away_is_told(home: Path) -> None:
    month = home / "sessions" / "2026" / "01"
    with mounted(month, "-t", "tmpfs", "small"):
        watches = DirectoryWatches(home)
    with closing(watches):
        assert FileEvent("deleted", str(month)) in watches.wait(BOUND_SECONDS)
        assert watches.are_outdated()


def test_a_directory_that_cannot_be_looked_at_costs_the_others_nothing(
    home: Path, tmp_path: Path
) -> None:
    year = home / "sessions" / "2026"
    months = [year / f"{number:02}" for number in range(1, 9)]
    for month in months:
        month.mkdir(exist_ok=True)
    with dead_mount(tmp_path, months[3]), closing(DirectoryWatches(home)) as watches:
        assert not watches.are_outdated()
        others = [month for month in months if month != months[3]]
        for month in others:
            (month / NAME).touch()
        assert {path for _, path in told(watches)} == {str(month / NAME) for month in others}
        assert watches.renew() == []


@contextmanager
def dead_mount(source: Path, target: Path) -> Iterator[None]:
    """A file system whose process has died: whoever looks at it gets an error."""
    if shutil.which("bindfs") is None or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("no bindfs, or nothing may be mounted here")
    with subprocess.Popen(["bindfs", "-f", source, target]) as process:
        wait_until(target.is_mount, "it is mounted")
        process.kill()
    try:
        wait_until(lambda: stamp_of(target) is None, "what was known of it is forgotten")
        yield
    finally:
        subprocess.run(["fusermount", "-u", "-z", target], check=True)


def test_what_is_watched_from_now_on_only_is_to_be_looked_at(
    home: Path, watches: DirectoryWatches
) -> None:
    """As what was mounted, of which no event tells."""
    month = home / "sessions" / "2026" / "01"
    with mounted(month, "-t", "tmpfs", "small"):
        assert watches.wait(QUIET_SECONDS) == []
        assert watches.are_outdated()
        assert watches.renew() == [FileEvent("added", str(month))]
        assert watches.renew() == []
