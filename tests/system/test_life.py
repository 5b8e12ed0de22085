"""The life of the service under a user's own manager: start, crash, hang, reload, stop."""

import os
import signal
import time
from urllib.request import urlopen

import pytest

from rolloutd.instance import running_daemon
from tests.running import BOUND_SECONDS, change, state_of, wait_until
from tests.system.service import SECONDS, Service
from tests.system.session import HOME

pytestmark = pytest.mark.timeout(300)

# So much is read by a reader process, and not at once; it takes no room on disk.
HOLE_BYTES = 500_000_000
# Its work moves every two seconds at least.
WATCHDOG_SECONDS = 8
# Until its first sign of life most of the time goes into imports.
START_SECONDS = 15


def test_active_only_after_the_backfill(service: Service) -> None:
    service.thread(1)
    os.truncate(service.thread(2), HOLE_BYTES)
    service.install()
    service.systemctl("start", "--no-block", "rolloutd")
    stopped = service.stop_readers()
    wait_until(
        lambda: service.is_("activating") and service.properties()["StatusText"].startswith("back"),
        "it says that it is at the backfill",
    )
    assert "/2, " in service.properties()["StatusText"]
    assert state_of(service.database)["status"] == "running"
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    service.wait_for("active")
    assert state_of(service.database)["status"] == "complete"
    assert service.properties()["StatusText"].startswith("following 2 rollouts")
    daemon = running_daemon(service.database)
    assert daemon is not None
    assert daemon.metrics is not None
    with urlopen(daemon.metrics.replace("/metrics", "/readyz"), timeout=BOUND_SECONDS) as answer:
        assert answer.status == 200
    service.wait_until_true()


def test_killed_it_comes_back_and_is_true_again(service: Service) -> None:
    service.thread(1)
    service.drop_in(RestartSec="100ms")
    service.install("--now")
    before = service.properties()["InvocationID"]
    service.systemctl("kill", "--signal=KILL", "rolloutd")
    service.thread(2)
    wait_until(lambda: service.properties()["InvocationID"] != before, "it is started anew")
    service.wait_for("active", NRestarts="1")
    service.wait_until_true()
    assert service.has_thread(2)()


def test_stopped_in_its_tracks_the_watchdog_restarts_it(service: Service) -> None:
    service.thread(1)
    service.drop_in(RestartSec="100ms", WatchdogSec=f"{WATCHDOG_SECONDS}s")
    service.install("--now")
    service.systemctl("kill", "--kill-who=main", "--signal=STOP", "rolloutd")
    service.thread(2)
    wait_until(lambda: service.properties()["NRestarts"] == "1", "it is started anew", SECONDS)
    service.wait_for("active")
    service.wait_until_true()
    log = service.log()
    assert "Watchdog timeout" in log
    # Where it was then.
    assert "Fatal Python error: Aborted" in log


def test_a_reader_that_hangs_is_a_service_that_hangs(service: Service) -> None:
    service.thread(1)
    service.drop_in(RestartSec="100ms", WatchdogSec=f"{WATCHDOG_SECONDS}s")
    service.install("--now")
    os.truncate(service.thread(2), HOLE_BYTES)
    service.stop_readers()
    # Its worker goes on with what else there is to be done: that is no sign of life.
    service.thread(3)
    wait_until(service.has_thread(3), "it follows")
    wait_until(lambda: service.properties()["NRestarts"] == "1", "it is started anew", SECONDS)
    service.wait_for("active")
    service.wait_until_true()


def test_idle_and_busy_it_is_left_alone(service: Service) -> None:
    service.drop_in(WatchdogSec=f"{WATCHDOG_SECONDS}s")
    service.install("--now")
    began = time.monotonic()
    number = 0

    def is_over() -> bool:
        nonlocal number
        if time.monotonic() - began > WATCHDOG_SECONDS:
            number += 1
            service.thread(number)
        return time.monotonic() - began > 2 * WATCHDOG_SECONDS

    wait_until(is_over, "the watchdog has had its time")
    assert service.is_("active", NRestarts="0")


def test_a_reload_looks_at_everything(service: Service) -> None:
    service.thread(1)
    service.install("--now", ROLLOUTD_RECONCILE_SECONDS="86400")
    before = service.properties()["InvocationID"]
    # No event tells of it.
    change(service.database, "UPDATE rollouts SET size = 0")
    change(service.database, "UPDATE threads SET title = 'drifted'")
    service.systemctl("reload", "rolloutd")
    service.wait_until_true()
    service.wait_for("active", SubState="running")
    assert service.properties()["InvocationID"] == before


def test_stopped_it_leaves_nothing_behind(service: Service) -> None:
    service.thread(1)
    service.install("--now")
    service.systemctl("stop", "rolloutd")
    assert service.is_("inactive", Result="success", ExecMainStatus="0")
    assert service.pids() == set()
    assert not service.database.with_name("state.sqlite-wal").exists()
    assert state_of(service.database)["owner_token"] is None


def test_a_home_that_appears_later_is_waited_for_and_picked_up(service: Service) -> None:
    home = service.codex_home.rename(service.codex_home.with_name("later"))
    # More time than that is asked for while it waits.
    service.drop_in(TimeoutStartSec=f"{START_SECONDS}s")
    said = service.install("--now", f"--wait-seconds={START_SECONDS + 2}")
    assert "starting: waiting: " in said
    assert f"{HOME / service.place}/codex: no such Codex home" in said
    assert service.is_("activating", SubState="start", NRestarts="0")
    home.rename(service.codex_home)
    service.thread(1)
    service.wait_for("active")
    service.wait_until_true()
    # A warning, and what is only told, are told apart; where the home is, is not for the log.
    log = service.log(own=True)
    assert "<4>waiting: no such Codex home" in log
    assert str(HOME / service.place) not in log
    assert "<6>the database is true: 1 files" in log


def test_a_wrong_setting_ends_it_for_good(service: Service) -> None:
    config = service.session.home / ".config/rolloutd/config.toml"
    config.parent.mkdir(parents=True)
    service.install()
    config.write_text('watch = "closely"\n')
    try:
        done = service.rolloutd("service", "install", "--now")
        assert done.code == 78
        assert service.session.systemctl("start", "rolloutd").code != 0
        service.wait_for("failed", SubState="failed", NRestarts="0", ExecMainStatus="78")
        assert "watch = 'closely': allowed: 'auto', 'native' or 'poll'" in service.log(own=True)
    finally:
        config.unlink()


def test_its_folder_may_be_deleted_while_it_is_stopped(service: Service) -> None:
    service.thread(1)
    service.install("--now")
    service.systemctl("stop", "rolloutd")
    service.session.run("rm", "-r", str(HOME / service.place / "state"))
    service.systemctl("start", "rolloutd")
    service.wait_until_true()
    assert service.database.parent.stat().st_mode & 0o777 == 0o700
    assert service.database.stat().st_mode & 0o777 == 0o600


def test_its_folder_may_be_deleted_while_it_runs(service: Service) -> None:
    service.thread(1)
    service.drop_in(RestartSec="100ms")
    service.install("--now")
    service.session.run("rm", "-r", str(HOME / service.place / "state"))
    wait_until(lambda: service.properties()["NRestarts"] == "1", "it is started anew", SECONDS)
    service.wait_for("active")
    service.wait_until_true()
