"""What the manager is told, as a function of how the daemon is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rolloutd.systemd.notify import Notifier
from rolloutd.systemd.supervised import EXTENSION_SECONDS, Signs, Supervised
from tests.systemd.listening import Manager, listening

# So short that a sign of life is due with each look.
WATCHDOG_SECONDS = 1e-6
STARTING = Signs(is_ready=False, beats=1, looked=None, status="backfill 1/2, 3 B")
READY = Signs(is_ready=True, beats=2, looked=None, status="following 2 rollouts")
MORE_TIME = str(EXTENSION_SECONDS * 1_000_000)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with listening(tmp_path / "notify") as manager:
        yield manager


@pytest.fixture
def supervised(manager: Manager) -> Iterator[Supervised]:
    with Notifier(manager.address, WATCHDOG_SECONDS) as notifier:
        yield Supervised(notifier)


def test_a_start_that_moves_asks_for_more_time(supervised: Supervised, manager: Manager) -> None:
    supervised.look(STARTING)
    assert manager.listen() == [{"STATUS": STARTING.status, "EXTEND_TIMEOUT_USEC": MORE_TIME}]
    supervised.look(STARTING)
    assert manager.listen() == []
    supervised.look(STARTING._replace(beats=2))
    assert manager.listen() == [{"EXTEND_TIMEOUT_USEC": MORE_TIME}]


def test_ready_is_told_once(supervised: Supervised, manager: Manager) -> None:
    supervised.look(READY)
    assert manager.listen() == [{"READY": "1", "STATUS": READY.status, "WATCHDOG": "1"}]
    supervised.look(READY._replace(beats=3))
    assert manager.listen() == [{"WATCHDOG": "1"}]
    # Systemd has no way back from ready: the status says what is the matter.
    supervised.look(READY._replace(is_ready=False, beats=3, status="failing: disk full"))
    assert manager.listen() == [{"STATUS": "failing: disk full"}]


def test_work_that_does_not_move_gives_no_sign_of_life(
    supervised: Supervised, manager: Manager
) -> None:
    supervised.look(READY)
    manager.listen()
    for _ in range(3):
        supervised.look(READY)
    assert manager.listen() == []


def test_signs_of_life_are_not_more_than_needed(manager: Manager) -> None:
    with Notifier(manager.address, 3600) as notifier:
        supervised = Supervised(notifier)
        for beats in range(100):
            supervised.look(READY._replace(beats=beats + 1))
    assert manager.said("WATCHDOG") == ["1"]


def test_a_reload_ends_with_a_look_that_began_after_it(
    supervised: Supervised, manager: Manager
) -> None:
    supervised.look(READY)
    manager.listen()
    supervised.reloading()
    [message] = manager.listen()
    assert message["RELOADING"] == "1"
    asked = int(message["MONOTONIC_USEC"]) / 1e6
    for looked in (None, asked - 1):
        supervised.look(READY._replace(looked=looked))
        assert manager.listen() == []
    supervised.look(READY._replace(looked=asked + 1))
    assert manager.listen() == [{"READY": "1"}]
    supervised.look(READY._replace(looked=asked + 2))
    assert manager.listen() == []


def test_a_reload_before_it_is_ready_is_part_of_the_start(
    supervised: Supervised, manager: Manager
) -> None:
    supervised.look(STARTING)
    supervised.reloading()
    supervised.look(READY)
    assert manager.said("RELOADING") == []
    assert manager.said("READY") == ["1"]


def test_looks_are_seldom_while_the_manager_waits_for_nothing(manager: Manager) -> None:
    with Notifier(manager.address, 300) as notifier:
        supervised = Supervised(notifier)
        supervised.look(STARTING)
        starting = supervised.pause
        supervised.look(READY)
        calm = supervised.pause
        supervised.reloading()
        assert supervised.pause == starting
        assert starting == 0.5
        assert calm == 5


@pytest.mark.parametrize("seconds", [0.5, 4.0])
def test_looks_are_often_enough_for_the_watchdog(manager: Manager, seconds: float) -> None:
    with Notifier(manager.address, seconds) as notifier:
        supervised = Supervised(notifier)
        supervised.look(READY)
        assert 0 < supervised.pause <= seconds / 8


def test_what_was_not_taken_is_told_again(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with Notifier(str(path), WATCHDOG_SECONDS) as notifier:
        supervised = Supervised(notifier)
        supervised.look(READY)
        with listening(path) as manager:
            supervised.look(READY)
            assert manager.listen() == [{"READY": "1", "STATUS": READY.status, "WATCHDOG": "1"}]


def test_stopping(supervised: Supervised, manager: Manager) -> None:
    supervised.stopping()
    assert manager.listen() == [{"STOPPING": "1", "STATUS": "stopping"}]
