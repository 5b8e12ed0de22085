"""One connection: one request, one answer, within bounds of time and memory.

It is not kept open for another request: a scrape every few seconds would gain nothing by that,
and what does not stay cannot pile up.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus

import anyio
import h11
from anyio.abc import SocketStream

from rolloutd.endpoint.pages import Page, Request, refusal

_HEAD_BYTES = 16 * 1024
_CHUNK_BYTES = 4 * 1024
_HEAD_SECONDS = 5.0
# From the connection to the last byte of the answer.
_EXCHANGE_SECONDS = 15.0
# So long, and so much, is listened to whoever still sends after the answer.
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 1024 * 1024


async def exchange(stream: SocketStream, answer: Callable[[Request], Awaitable[Page]]) -> None:
    """Read a request and answer it; who is too slow, or gone, is left without an answer."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
    with suppress(TimeoutError, anyio.BrokenResourceError):
        with anyio.fail_after(_EXCHANGE_SECONDS):
            has_body = True
            try:
                request = await _request(stream, connection)
            except h11.RemoteProtocolError as error:
                page = refusal(HTTPStatus(error.error_status_hint))
            else:
                if request is None:
                    return
                page = await answer(request)
                has_body = request.method != "HEAD"
            await stream.send(_head(connection, page) + (page.body if has_body else b""))
        await _linger(stream)


async def _request(stream: SocketStream, connection: h11.Connection) -> Request | None:
    """The head of a request.

    Raises:
        h11.RemoteProtocolError: it is none, or too long.
        TimeoutError: it does not come.
    """
    with anyio.fail_after(_HEAD_SECONDS):
        while (event := connection.next_event()) is h11.NEED_DATA:
            try:
                connection.receive_data(await stream.receive(_CHUNK_BYTES))
            except anyio.EndOfStream:
                connection.receive_data(b"")
    if not isinstance(event, h11.Request):
        return None
    headers: dict[str, str] = {}
    for name, value in event.headers:
        before = headers.get(name.decode())
        text = value.decode("latin-1")
        headers[name.decode()] = text if before is None else f"{before}, {text}"
    return Request(event.method.decode(), event.target.decode(), headers)


def _head(connection: h11.Connection, page: Page) -> bytes:
    headers = {
        "date": formatdate(usegmt=True),
        "content-type": page.content_type,
        "content-length": str(len(page.body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "connection": "close",
        **page.headers,
    }
    response = h11.Response(
        status_code=page.status, headers=list(headers.items()), reason=page.status.phrase.encode()
    )
    return connection.send(response) or b""


async def _linger(stream: SocketStream) -> None:
    """Close without taking the answer away from who has not read it yet.

    A socket that is closed with something unread in it resets the connection.
    """
    await stream.send_eof()
    left = _LINGER_BYTES
    with suppress(anyio.EndOfStream), anyio.move_on_after(_LINGER_SECONDS):
        while left > 0:
            left -= len(await stream.receive())
