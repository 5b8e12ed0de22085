"""One connection, over a real socket: whatever is sent, there is a right answer or none."""

import gzip
import socket
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rolloutd import __version__
from rolloutd.endpoint import exchange
from tests.endpoint.serving import Answer, Serving, answer_on, ask, connected, get, serving
from tests.running import wait_until


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Serving]:
    with serving() as seen:
        yield seen


@pytest.fixture
def port(endpoint: Serving) -> int:
    return endpoint.port


def test_metrics(port: int) -> None:
    answer = get(port)
    assert answer.status == 200
    assert b"rolloutd_seen_total 3.0" in answer.body
    assert "content-type: text/plain; version=0.0.4" in answer.head
    assert f"content-length: {len(answer.body)}" in answer.head
    assert "connection: close" in answer.head
    assert "date: " in answer.head


def test_metrics_as_prometheus_asks_for_them(port: int) -> None:
    accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
    answer = get(port, "/metrics?x=y", "GET", accept, "Accept-Encoding: gzip")
    assert "content-type: application/openmetrics-text; version=1.0.0" in answer.head
    assert "content-encoding: gzip" in answer.head
    assert gzip.decompress(answer.body).endswith(b"# EOF\n")


def test_a_header_that_comes_twice_counts_twice(port: int) -> None:
    accept = ("Accept: text/html", "Accept: application/openmetrics-text;version=1.0.0")
    for headers in (accept, accept[::-1]):
        answer = get(port, "/metrics", "GET", *headers)
        assert "content-type: application/openmetrics-text; version=1.0.0" in answer.head


@pytest.mark.parametrize("target", ["/", "/metrics", "/healthz", "/readyz", "/nothing"])
def test_head_is_get_without_the_body(port: int, target: str) -> None:
    whole, head = get(port, target), get(port, target, "HEAD")
    assert head.body == b""
    assert [line for line in head.head.split("\r\n") if not line.startswith("date: ")] == [
        line for line in whole.head.split("\r\n") if not line.startswith("date: ")
    ]


def test_the_first_page_names_the_version_and_the_others(port: int) -> None:
    answer = get(port, "/")
    assert "text/html" in answer.head
    page = answer.body.decode()
    assert __version__ in page
    for target in ("/metrics", "/readyz", "/healthz"):
        assert f'href="{target}"' in page
        assert get(port, target).status == 200


def test_ready_or_why_not(endpoint: Serving, port: int) -> None:
    assert get(port, "/readyz").body == b"ready\n"
    endpoint.why = "the index is stale"
    try:
        answer = get(port, "/readyz")
        assert (answer.status, answer.body) == (503, b"the index is stale\n")
        assert get(port, "/healthz").status == 200
    finally:
        endpoint.why = None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO"])
def test_other_methods(port: int, method: str) -> None:
    answer = get(port, "/metrics", method)
    assert answer.status == 405
    assert "allow: get, head" in answer.head


@pytest.mark.parametrize("target", ["/metric", "/metrics/", "/Metrics", "/..", "/%2e", "*", "x"])
def test_other_targets(port: int, target: str) -> None:
    assert get(port, target).status == 404


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET  /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),  # TLS
        (b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET /metrics HTTP/1.0\r\n\r\n", 200),
        (b"GET http://localhost:1/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 421),
        (b"GET http://localhost/metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        # A path, whatever it looks like.
        (b"GET //evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET //127.0.0.1/metrics HTTP/1.1\r\nHost: evil.example:9746\r\n\r\n", 421),
        (b"GET //localhost/metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET /metrics?a=//b HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (b"GET metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"GET metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"POST /metrics HTTP/1.1\r\nHost: evil.example:80\r\n\r\n", 421),
        (b"GET /metrics HTTP/1.1\r\nHost: \xff\r\n\r\n", 421),
        (b"GET /metrics HTTP/1.1\r\nHost: [::1]:9746\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.1\r\nHost:\r\n\r\n", 421),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 30_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 30_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 5000 + b"\r\n", 431),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\n\r\n", 200),
    ],
)
def test_answers(port: int, request_: bytes, status: int) -> None:
    assert ask(port, request_).status == status


def test_a_body_is_not_waited_for(port: int) -> None:
    with connected(port) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n")
        client.sendall(b"x" * 900_000)
        assert answer_on(client).status == 405


def test_a_request_in_small_pieces(port: int) -> None:
    with connected(port) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n":
            client.sendall(bytes([byte]))
        assert answer_on(client).status == 200


def test_who_says_nothing_is_left(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_HEAD_SECONDS", 0.2)
    for said in (b"", b"GET / HT"):
        assert ask(port, said) == Answer(b"")


def test_who_goes_away_is_not_missed(port: int) -> None:
    for said in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with connected(port) as client:
            client.sendall(said)
            # A reset, in place of an orderly end.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with connected(port) as client:
        client.sendall(b"GET / HT")
        client.shutdown(socket.SHUT_WR)
        assert answer_on(client).status == 400
    assert get(port, "/healthz").status == 200


def test_who_does_not_close_is_left(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_LINGER_SECONDS", 0.2)
    with connected(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer_on(client).status == 200
        wait_until(lambda: not can_send(client), "it is closed", 10)


def can_send(client: socket.socket) -> bool:
    try:
        client.sendall(b"x" * 4096)
    except OSError:
        return False
    return True


_HEADS = st.lists(
    st.sampled_from(
        [
            b"GET ", b"HEAD ", b"POST ", b"/", b"/metrics", b"*", b" HTTP/1.1", b" HTTP/1.0",
            b"\r\n", b"\n", b"\r", b"Host: localhost", b"host:", b"Accept: ", b"Accept-Encoding: ",
            b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Expect: 100-continue",
            b"Connection: Upgrade", b"Upgrade: h2c", b"text/plain;version=", b"1.0.0", b"gzip",
            b"application/openmetrics-text;version=", b"http://", b"[", b"]", b"@", b"%00", b"\0",
        ]
    )
    | st.binary(max_size=8),
    max_size=30,
).map(b"".join)  # fmt: skip


@settings(max_examples=200)
@given(request=_HEADS)
@example(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain;version=a.b\r\n\r\n")
@example(b"GET http://\xff HTTP/1.1\r\nHost: localhost\r\n\r\n")
@example(b"GET /metrics HTTP/9.9\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n")
def test_whatever_is_sent(endpoint: Serving, request: bytes) -> None:
    with connected(endpoint.port) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        assert answer_on(client).status in (0, 200, 400, 404, 405, 421, 431, 501)
    assert endpoint.failures == 0
    assert len(endpoint.heard) == 1
