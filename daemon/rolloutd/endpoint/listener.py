"""Listening: where, for how many at a time, and again when it has failed."""

import errno
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_address

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskStatus
from anyio.streams.stapled import MultiListener

from rolloutd.endpoint.exchange import exchange
from rolloutd.endpoint.pages import Page, Request
from rolloutd.errors import ConfigurationError, RolloutdError

_log = logging.getLogger(__name__)

_MOST_CONNECTIONS = 32
_BACKLOG = 128
_BACKOFF_SECONDS = (0.5, 30.0)
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"content-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
)


class EndpointUnavailable(RolloutdError):
    """It cannot listen there now, which may be another thing later: the network may come up."""


class Endpoint:
    """Listens for as long as it is served.

    `answer` makes a page of a request. `heard` is told the address of the endpoint once it
    listens, and None when it does not any more; `failed`, of each such failure.
    """

    def __init__(
        self,
        host: str,
        port: int,
        answer: Callable[[Request], Awaitable[Page]],
        *,
        heard: Callable[[str | None], None],
        failed: Callable[[], None],
    ) -> None:
        self._host = host
        self._port = port
        self._answer = answer
        self._heard = heard
        self._failed = failed
        self._connections = 0
        self._backoff = _BACKOFF_SECONDS[0]

    async def serve(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Answer until cancelled; started once it listens.

        Raises:
            ConfigurationError: the port is taken, or not for us.
            EndpointUnavailable: there is no such host, or not now.
        """
        try:
            listener = await self._listen()
        except (OSError, UnicodeError) as error:
            raise self._explained(error) from error
        # If any port would do, the one that was found stays ours.
        self._port = _addresses(listener)[0][1]
        self._introduce(listener)
        task_status.started()
        while True:
            self._heard(self._url)
            began = time.monotonic()
            try:
                async with listener:
                    await listener.serve(self._handle)
            # Its own failures only: what befalls a connection is dealt with there.
            except* OSError as group:
                _log.warning("the metrics endpoint failed: %s", _first(group).strerror)
            finally:
                self._heard(None)
            self._failed()
            listener = await self._listen_again(time.monotonic() - began)

    async def _listen(self) -> MultiListener[SocketStream]:
        return await anyio.create_tcp_listener(
            local_host=self._host, local_port=self._port, backlog=_BACKLOG
        )

    async def _listen_again(self, lasted: float) -> MultiListener[SocketStream]:
        least, most = _BACKOFF_SECONDS
        if lasted > most:
            self._backoff = least
        while True:
            await anyio.sleep(self._backoff)
            self._backoff = min(2 * self._backoff, most)
            with suppress(OSError):
                return await self._listen()

    async def _handle(self, stream: SocketStream) -> None:
        async with stream:
            if self._connections >= _MOST_CONNECTIONS:
                with suppress(anyio.BrokenResourceError):
                    await stream.send(_REFUSAL)
                return
            self._connections += 1
            try:
                await exchange(stream, self._answer)
            finally:
                self._connections -= 1

    def _introduce(self, listener: MultiListener[SocketStream]) -> None:
        _log.info("metrics at %s/metrics", self._url)
        if not all(ip_address(host).is_loopback for host, _ in _addresses(listener)):
            _log.warning("metrics_host = %r: other machines can read the metrics, too", self._host)

    @property
    def _url(self) -> str:
        """Where this machine finds it."""
        host = _EVERYWHERE.get(self._host, self._host)
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    def _explained(self, error: OSError | UnicodeError) -> RolloutdError:
        host, port = self._host, self._port
        allowed = "allowed: another port, 0 (any free one), or 'off'"
        match getattr(error, "errno", None):
            # No waiting frees a port: that needs another setting, or the end of another program.
            case errno.EADDRINUSE:
                return ConfigurationError(
                    f"metrics_port = {port}: another program listens there ({host}); {allowed}"
                )
            case errno.EACCES:
                return ConfigurationError(
                    f"metrics_port = {port}: not for this user to listen on; {allowed}"
                )
            case errno.EADDRNOTAVAIL:
                return EndpointUnavailable(
                    f"metrics_host = {host!r}: this machine does not have that address now"
                )
        return EndpointUnavailable(f"metrics_host = {host!r}: {error}")


def _addresses(listener: MultiListener[SocketStream]) -> list[tuple[str, int]]:
    """Host and port of each socket; a host without the zone that IPv6 may have."""
    found = []
    for each in listener.listeners:
        host = str(each.extra(SocketAttribute.local_address)[0])  # noqa: S610
        found.append((host.partition("%")[0], each.extra(SocketAttribute.local_port)))  # noqa: S610
    return found


def _first(group: BaseExceptionGroup[OSError]) -> OSError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, OSError)
    return error
