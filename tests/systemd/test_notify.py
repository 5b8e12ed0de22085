"""The protocol, spoken to a real socket."""

import os
from pathlib import Path

import pytest

from rolloutd.systemd.notify import Notifier
from tests.systemd.listening import listening


@pytest.mark.parametrize("is_abstract", [False, True], ids=["path", "abstract"])
def test_a_message_is_one_datagram(tmp_path: Path, *, is_abstract: bool) -> None:
    address = f"@rolloutd-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    with listening(address) as manager, Notifier(address) as notifier:
        assert notifier.has_listener
        assert notifier.tell(READY=1, STATUS="following 3 rollouts")
        assert manager.listen() == [{"READY": "1", "STATUS": "following 3 rollouts"}]


def test_a_value_cannot_become_another_assignment(tmp_path: Path) -> None:
    with listening(tmp_path / "notify") as manager, Notifier(manager.address) as notifier:
        assert notifier.tell(STATUS="waiting: /home/\ud800/a\nREADY=1\r\nX")
        assert manager.listen() == [{"STATUS": "waiting: /home/?/a READY=1 X"}]


def test_nobody_listens(tmp_path: Path) -> None:
    for address in (None, "", "vsock:2:1234"):
        with Notifier(address) as notifier:
            assert not notifier.has_listener
            assert notifier.tell(READY=1)
    with Notifier(str(tmp_path / "gone")) as notifier:
        assert not notifier.tell(READY=1)


def test_a_manager_that_is_started_anew_is_heard_again(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with Notifier(str(path)) as notifier:
        with listening(path):
            assert notifier.tell(WATCHDOG=1)
        path.unlink()
        assert not notifier.tell(WATCHDOG=1)
        with listening(path) as manager:
            assert notifier.tell(WATCHDOG=1)
            assert manager.listen() == [{"WATCHDOG": "1"}]


@pytest.mark.parametrize(
    ("variables", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
    ],
)
def test_the_watchdog_is_ours_alone(variables: dict[str, str], watchdog: float | None) -> None:
    with Notifier.of(variables) as notifier:
        assert notifier.watchdog == watchdog
