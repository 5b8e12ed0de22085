"""The endpoint of a real daemon: where it is, what it says, and that it hurts nobody."""

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.daemon.living import Daemon, append, living
from tests.daemon.scraping import ask, scrape, sockets_listening
from tests.metrics.samples import series
from tests.oracle.cases_build import tokens
from tests.running import Place, rows, wait_until
from tests.state.test_database import without_privileges

pytestmark = pytest.mark.alone

QUICK: dict[str, Any] = {"ROLLOUTD_RECONCILE_SECONDS": "1"}
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


def address_of(daemon: Daemon) -> tuple[str, int]:
    assert daemon.state is not None
    url = urlsplit(daemon.state.metrics)
    assert isinstance(url.hostname, str)
    assert url.port is not None
    return url.hostname, url.port


def test_status_says_where_it_is(place: Place) -> None:
    with living(place) as daemon:
        _, port = address_of(daemon)
        assert port
        url = f"http://127.0.0.1:{port}/metrics"
        assert place.status()["daemon"]["metrics"] == url
        assert f"metrics    {url}" in place.run("status").stdout
        assert daemon.says(f"metrics at {url}") == 1
        assert ask(daemon, "/metrics", Host="evil.example").status == 421
        assert len(sockets_listening(daemon.process.pid)) == 1


def test_it_can_be_turned_off(place: Place) -> None:
    with living(place, ROLLOUTD_METRICS_PORT="off") as daemon:
        assert daemon.state is not None
        assert daemon.state.metrics is None
        assert "metrics" not in place.run("status").stdout
        assert sockets_listening(daemon.process.pid) == set()


def test_options_come_first(place: Place) -> None:
    with place.started(
        "run", "--metrics-host", "localhost", "--metrics-port", "0", ROLLOUTD_METRICS_PORT="off"
    ) as process:
        daemon = Daemon(place, process, place.root / "log")  # type: ignore[arg-type]
        wait_until(lambda: daemon.state and daemon.state.metrics, "it listens")
        assert address_of(daemon)[0] == "localhost"
        assert ask(daemon, "/healthz").status == 200
    refused = place.run("run", "--metrics-port", "65536")
    assert refused.code == 78
    assert "metrics_port = '65536': allowed: a port from 0" in refused.stderr


def test_a_taken_port_is_named(place: Place) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = place.run("run", "--metrics-port", port)
    assert (done.code, done.stdout) == (78, "")
    assert f"rolloutd: metrics_port = {port}: another program listens there" in done.stderr
    assert "Traceback" not in done.stderr
    assert not place.database.exists()


def test_a_port_that_is_not_for_us_is_named(place: Place) -> None:
    if int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 80:
        pytest.skip("every user may listen on every port here")
    done = place.run("run", "--metrics-port", "80", prefix=without_privileges())
    assert done.code == 78, done
    assert "rolloutd: metrics_port = 80: not for this user to listen on" in done.stderr


def test_ready_once_it_follows_and_until_it_is_stale(place: Place) -> None:
    sessions, away = place.home / "sessions", place.root / "away"
    sessions.rename(away)

    def readiness(status: int, words: str) -> bool:
        answer = ask(daemon, "/readyz")
        assert scrape(daemon)[series("ready")] in (0, 1)
        assert ask(daemon, "/healthz").status == 200
        return answer.status == status and words in answer.text

    with living(place, phase="waiting", **QUICK) as daemon:
        wait_until(lambda: readiness(503, "waiting for the Codex home"), "it waits")
        assert scrape(daemon)[series("ready")] == 0
        away.rename(sessions)
        wait_until(lambda: readiness(200, "ready"), "it is ready")
        wait_until(lambda: scrape(daemon)[series("ready")], "the metric says so too")
        sessions.rename(away)
        wait_until(lambda: readiness(503, "the index is stale"), "it is stale")
        wait_until(lambda: not scrape(daemon)[series("ready")], "the metric says so too")
        assert scrape(daemon)[series("errors_total", stage="discover")] > 0
        away.rename(sessions)
        wait_until(lambda: readiness(200, "ready"), "it is ready again")


@contextmanager
def besieged(address: tuple[str, int]) -> Iterator[None]:
    """A thousand connections that are stuck, each in its way, and some clients in a hurry."""
    calm = threading.Event()

    def hurry() -> None:
        while not calm.is_set():
            try:
                with socket.create_connection(address, 5) as client:
                    client.sendall(REQUEST)
                    while client.recv(65536):
                        pass
            except OSError:
                calm.wait(0.01)  # refused

    clients = [threading.Thread(target=hurry) for _ in range(4)]
    with ExitStack() as stack:
        for number in range(1000):
            client = stack.enter_context(socket.create_connection(address, 5))
            # Nothing, or half of it, or no reading of what was asked for.
            with suppress(OSError):  # refused already
                client.sendall((b"", REQUEST[:-3], REQUEST)[number % 3])
        for each in clients:
            each.start()
        try:
            yield
        finally:
            calm.set()
            for each in clients:
                each.join()


def test_nobody_can_hurt_the_indexing(place: Place) -> None:
    path = place.thread(1)

    def is_seen(count: int) -> bool:
        return rows(place.database, "SELECT tokens_used FROM threads") == [(count,)]

    with living(place) as daemon:
        took = []
        with besieged(address_of(daemon)):
            for count in range(1, 31):
                began = time.monotonic()
                append(path, tokens(count))
                wait_until(lambda: is_seen(count), "it is seen", 5)  # noqa: B023
                took.append(time.monotonic() - began)
        assert statistics.median(took) < 1, sorted(took)
        # All of them gone, it is as it was.
        wait_until(lambda: ask(daemon, "/healthz").status == 200, "it answers again")
        samples = scrape(daemon)
        assert samples[series("errors_total", stage="endpoint")] == 0
        assert samples["process_resident_memory_bytes", ()] < 120e6
        assert samples["process_open_fds", ()] < 100
