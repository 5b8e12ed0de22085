"""Where it listens, for how many, and what is said when it cannot."""

import errno
import logging
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from rolloutd.endpoint import exchange, listener
from rolloutd.endpoint.listener import EndpointUnavailable
from rolloutd.errors import ConfigurationError
from tests.endpoint.serving import answer_on, connected, get, serving
from tests.running import wait_until


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@contextmanager
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def is_refused(port: int) -> bool:
    """Whether one client more is one too many; the refusal itself may be lost in the reset."""
    try:
        return get(port, "/healthz").status == 503
    except ConnectionResetError:
        return True


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process cannot open another one."""
    lowest_free = os.dup(0)
    os.close(lowest_free)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_any_free_port() -> None:
    with serving() as first, serving() as second:
        assert first.port != second.port
        for seen in (first, second):
            assert seen.heard == [f"http://127.0.0.1:{seen.port}"]
            assert get(seen.port).status == 200
    assert first.heard[-1] is None


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_hosts_of_this_machine(host: str, caplog: pytest.LogCaptureFixture) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("there is no IPv6 here")
    with caplog.at_level(logging.INFO, "rolloutd"), serving(host) as seen:
        with connected(seen.port, host) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert answer_on(client).status == 200
        shown = f"[{host}]" if ":" in host else host
        assert seen.heard == [f"http://{shown}:{seen.port}"]
    assert "other machines" not in caplog.text


def test_beyond_loopback_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "rolloutd"), serving("0.0.0.0") as seen:
        assert get(seen.port).status == 200
        assert seen.heard == [f"http://127.0.0.1:{seen.port}"]
    assert caplog.text.count("other machines can read the metrics") == 1


def test_a_taken_port_is_a_matter_of_configuration() -> None:
    with taken() as port:
        with pytest.raises(ConfigurationError) as raised, serving(port=port):
            pass
        assert f"metrics_port = {port}: another program listens there" in str(raised.value)
        assert "0 (any free one), or 'off'" in str(raised.value)
        with pytest.raises(ConfigurationError), serving("localhost", port):
            pass


@pytest.mark.parametrize(
    ("host", "words"),
    [("192.0.2.7", "does not have that address"), ("no-such-host.invalid", "no-such-host.invalid")],
)
def test_a_host_that_may_come_later_is_no_matter_of_configuration(host: str, words: str) -> None:
    with pytest.raises(EndpointUnavailable) as raised, serving(host):
        pass
    assert f"metrics_host = '{host}'" in str(raised.value)
    assert words in str(raised.value)
    assert raised.value.exit_code == 1


def test_a_name_that_is_none() -> None:
    with pytest.raises(EndpointUnavailable, match="metrics_host"), serving("a" * 300):
        pass


def test_too_many_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_HEAD_SECONDS", 1.0)
    with serving() as seen, ExitStack() as stack:
        for _ in range(listener._MOST_CONNECTIONS):
            stack.enter_context(connected(seen.port))
        assert is_refused(seen.port)
        # Those who say nothing lose their places.
        wait_until(lambda: not is_refused(seen.port), "there is room again")


def test_it_listens_again_on_the_same_port(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By a limit on open files: a connection that cannot be accepted ends the listening."""
    monkeypatch.setattr(listener, "_BACKOFF_SECONDS", (0.01, 0.1))
    with serving() as seen, socket.socket() as client:
        port = seen.port
        with no_more_files():
            client.connect(("127.0.0.1", port))
            wait_until(lambda: seen.failures, "it fails")
            assert seen.heard[-1] is None
        wait_until(lambda: len(seen.heard) == 3, "it listens again")
        assert seen.heard == [f"http://127.0.0.1:{port}", None, f"http://127.0.0.1:{port}"]
        assert get(port).status == 200
        assert seen.failures == 1
    assert caplog.text.count(os.strerror(errno.EMFILE)) == 1
