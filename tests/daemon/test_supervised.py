"""A real daemon, and what it tells a service manager that listens."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.living import living, stop_readers, wait_until_true
from tests.running import Place, state_of, wait_until, watermark, write
from tests.systemd.listening import Manager, listening

pytestmark = pytest.mark.alone

WATCHDOG_SECONDS = 2.0
# So much is read by a reader process, and not at once; it takes no room on disk.
HOLE_BYTES = 500_000_000


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with listening(tmp_path / "notify") as manager:
        yield manager


def supervised(manager: Manager) -> dict[str, str]:
    watchdog = str(round(WATCHDOG_SECONDS * 1e6))
    return {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": watchdog}


def environment_of(pid: int) -> dict[str, str]:
    text = Path(f"/proc/{pid}/environ").read_text()
    return dict(line.split("=", 1) for line in text.split("\0") if line)


def wait_for_silence(manager: Manager) -> None:
    """Until the worker has not moved for twice as long as the watchdog would bear."""
    last = time.monotonic()

    def is_over() -> bool:
        nonlocal last
        if any({"WATCHDOG", "EXTEND_TIMEOUT_USEC"} & each.keys() for each in manager.listen()):
            last = time.monotonic()
        return time.monotonic() - last > 2 * WATCHDOG_SECONDS

    wait_until(is_over, "no sign of life")


def test_ready_only_once_the_home_is_there_and_indexed(place: Place, manager: Manager) -> None:
    home = place.home.rename(place.root / "elsewhere")
    with living(place, phase="waiting", prefix=(), **supervised(manager)) as daemon:
        wait_until(lambda: len(manager.said("EXTEND_TIMEOUT_USEC")) > 2, "it asks for more time")
        assert "no such Codex home" in manager.said("STATUS")[-1]
        assert manager.said("READY") == []
        home.rename(place.home)
        place.thread(1)
        wait_until(lambda: manager.said("READY"), "it is ready")
        assert state_of(place.database)["status"] == "complete"
        wait_until(lambda: manager.said("WATCHDOG"), "the watchdog is fed")
        assert manager.said("STATUS")[-1].startswith("following 1 rollouts")
        daemon.stop()
    assert manager.said("STOPPING")
    assert manager.said("READY") == ["1"]


def test_a_reader_that_hangs_gives_no_sign_of_life(place: Place, manager: Manager) -> None:
    place.thread(1)
    os.truncate(place.thread(2), HOLE_BYTES)
    with living(place, phase="", prefix=(), **supervised(manager)) as daemon:
        stopped = stop_readers(daemon)
        for pid in stopped:
            assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & environment_of(pid).keys()
        wait_for_silence(manager)
        assert manager.said("READY") == []
        assert manager.said("STATUS")[-1].startswith("backfill ")
        assert manager.said("STATUS")[-1].split(",")[0].endswith("/2")
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: manager.said("READY"), "it is ready")
        wait_until_true(place)


def test_a_home_that_has_appeared_is_waited_for_no_more(place: Place, manager: Manager) -> None:
    home = place.home.rename(place.root / "elsewhere")
    os.truncate(write(home, watermark(1), number=1), HOLE_BYTES)
    with living(place, phase="waiting", prefix=(), **supervised(manager)) as daemon:
        home.rename(place.home)
        stopped = stop_readers(daemon)
        wait_until(lambda: manager.said("STATUS")[-1].startswith("backfill 0/1"), "it says so")
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: manager.said("READY"), "it is ready")


def test_sighup_reloads(place: Place, manager: Manager) -> None:
    place.thread(1)
    with living(place, phase="following", prefix=(), **supervised(manager)) as daemon:
        wait_until(lambda: manager.said("READY"), "it is ready")
        daemon.hang_up()
        wait_until(lambda: manager.said("RELOADING"), "it reloads")
        wait_until(lambda: len(manager.said("READY")) == 2, "it is ready again")
