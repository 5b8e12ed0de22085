"""What is answered to which request."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

from rolloutd import __version__
from rolloutd.endpoint.hosts import is_meant_for_us
from rolloutd.metrics.exposition import Exposition

_METHODS = ("GET", "HEAD")
_PLAIN = "text/plain; charset=utf-8"
_ROOT = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>rolloutd</title>
<h1>rolloutd {__version__}</h1>
<p>Keeps an index of every thread that the Codex CLI recorded on this machine.
<ul>
<li><a href="/metrics">/metrics</a> for Prometheus
<li><a href="/readyz">/readyz</a> whether the index can be relied on now
<li><a href="/healthz">/healthz</a> whether the daemon is alive
</ul>
</html>
"""


class Request(NamedTuple):
    """The head of a request; names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """An answer; `headers` are those beside type and length."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = _PLAIN
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: HTTPStatus, why: str | None = None, **headers: str) -> Page:
    """An answer that says why there is no other."""
    return Page(f"{why or status.phrase}\n".encode(), status, headers=headers)


class Pages:
    """All that there is to be seen. `host` is what we are called beside localhost."""

    def __init__(
        self, exposition: Exposition, why_not_ready: Callable[[], str | None], host: str
    ) -> None:
        self._exposition = exposition
        self._why_not_ready = why_not_ready
        self._host = host
        self._pages: dict[str, Callable[[Request], Awaitable[Page]]] = {
            "/": self._root,
            "/metrics": self._metrics,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
        }

    async def answer(self, request: Request) -> Page:
        """Every request has one."""
        try:
            named, path = _split(request.target)
        except ValueError:
            return refusal(HTTPStatus.BAD_REQUEST)
        # What stands in the target comes before the header (RFC 9112, 3.2.2); here both have to be
        # ours. Who speaks HTTP/1.0 without either is no browser.
        hosts = [host for host in (named, request.headers.get("host")) if host is not None]
        if not all(is_meant_for_us(host, self._host) for host in hosts):
            return refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this is not the host that was asked for: use localhost, an IP address, "
                "or the name that is set as metrics_host",
            )
        if request.method not in _METHODS:
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, allow=", ".join(_METHODS))
        page = self._pages.get(path)
        if page is None:
            return refusal(HTTPStatus.NOT_FOUND, f"there are {', '.join(self._pages)}")
        return await page(request)

    async def _root(self, _request: Request) -> Page:
        return Page(_ROOT.encode(), content_type="text/html; charset=utf-8")

    async def _metrics(self, request: Request) -> Page:
        headers = request.headers
        text = await self._exposition.text(
            headers.get("accept", ""), headers.get("accept-encoding", "")
        )
        encoding = {"content-encoding": "gzip"} if text.is_zipped else {}
        return Page(
            text.body,
            content_type=text.content_type,
            headers={"vary": "accept, accept-encoding"} | encoding,
        )

    async def _healthz(self, _request: Request) -> Page:
        return Page(b"alive\n")

    async def _readyz(self, _request: Request) -> Page:
        why = self._why_not_ready()
        if why is not None:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, why)
        return Page(b"ready\n")


def _split(target: str) -> tuple[str | None, str]:
    """The host that a request's target names, if it does, and the path.

    One that begins with a slash names none, however many slashes there are: to a browser the rest
    is a path, on whatever host it has asked for.
    """
    if target.startswith("/"):
        return None, target.partition("?")[0]
    url = urlsplit(target)
    return url.netloc or None, url.path or "/"
