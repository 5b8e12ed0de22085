"""An endpoint that listens in a thread of this process, and what a client sees of one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from anyio.from_thread import start_blocking_portal
from prometheus_client import CollectorRegistry, Counter

from rolloutd.endpoint.listener import Endpoint
from rolloutd.endpoint.pages import Pages
from rolloutd.metrics.exposition import Exposition

BOUND_SECONDS = 20.0


@dataclass(slots=True)
class Serving:
    """Attributes: `heard` is all that was said of where it listens, `why` why it is not ready."""

    heard: list[str | None] = field(default_factory=list)
    failures: int = 0
    why: str | None = None

    def fail(self) -> None:
        self.failures += 1

    @property
    def port(self) -> int:
        """Where it listens, or did last."""
        return int(next(each for each in reversed(self.heard) if each).rpartition(":")[2])


@contextmanager
def serving(host: str = "127.0.0.1", port: int = 0) -> Iterator[Serving]:
    """An endpoint with one counter to be seen."""
    seen = Serving()
    registry = CollectorRegistry()
    Counter("rolloutd_seen_total", "Seen.", registry=registry).inc(3)

    def make() -> Endpoint:
        pages = Pages(Exposition(registry), lambda: seen.why, host)
        return Endpoint(host, port, pages.answer, heard=seen.heard.append, failed=seen.fail)

    with start_blocking_portal() as portal:
        served, _ = portal.start_task(portal.call(make).serve)
        try:
            yield seen
        finally:
            served.cancel()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back until the connection was closed."""

    text: bytes

    @property
    def status(self) -> int:
        """0 if there was no answer."""
        return int(self.text.split(b" ", 2)[1]) if self.text else 0

    @property
    def head(self) -> str:
        return self.text.partition(b"\r\n\r\n")[0].decode().lower()

    @property
    def body(self) -> bytes:
        return self.text.partition(b"\r\n\r\n")[2]


def connected(port: int, host: str = "127.0.0.1") -> socket.socket:
    """A client that waits for everything a bounded time."""
    return socket.create_connection((host, port), BOUND_SECONDS)


def answer_on(client: socket.socket) -> Answer:
    """Read until the other side closes."""
    found = b""
    while more := client.recv(65536):
        found += more
    return Answer(found)


def ask(port: int, request: bytes, host: str = "127.0.0.1") -> Answer:
    """Send this, and read the answer."""
    with connected(port, host) as client:
        client.sendall(request)
        return answer_on(client)


def get(port: int, target: str = "/metrics", method: str = "GET", *headers: str) -> Answer:
    """A request as it should be, or nearly so."""
    lines = (f"{method} {target} HTTP/1.1", "Host: localhost", *headers, "", "")
    return ask(port, "\r\n".join(lines).encode())
