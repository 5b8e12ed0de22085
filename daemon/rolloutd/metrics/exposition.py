"""The text of /metrics: made in a thread, one at a time, and not more often than need be."""

import gzip
import math
import re
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import anyio
import anyio.to_thread
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

# Whoever asks so soon after another gets the same answer: a flood of requests costs little.
_FRESH_SECONDS = 0.5
_LEVEL = 6
_OPENMETRICS = "application/openmetrics-text"
_PLAIN = frozenset({"text/plain", "text/*", "*/*"})
_QUALITY = re.compile(r";\s*q\s*=\s*([01](?:\.\d*)?)\s*(?:;|\Z)", re.ASCII)


class Text(NamedTuple):
    """Metrics as they are sent."""

    body: bytes
    content_type: str
    is_zipped: bool


class Exposition:
    """What a registry holds, as text."""

    def __init__(
        self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._clock = clock
        # By whether it is OpenMetrics, and whether it is zipped; and when that was begun.
        self._made: dict[tuple[bool, bool], tuple[float, Text]] = {}
        self._turn = anyio.Lock()

    async def text(self, accept: str, accept_encoding: str) -> Text:
        """In the form that suits whoever sent these headers; half a second older at most."""
        wanted = (_wants_openmetrics(accept), _wants_gzip(accept_encoding))
        oldest = self._clock() - _FRESH_SECONDS
        async with self._turn:
            # Those that have waited meanwhile take what was made for the first of them.
            began, text = self._made.get(wanted, (-math.inf, None))
            if text is None or began <= oldest:
                began = self._clock()
                text = await anyio.to_thread.run_sync(self._make, *wanted)
                self._made[wanted] = (began, text)
            return text

    def _make(self, openmetrics: bool, zipped: bool) -> Text:  # noqa: FBT001
        encode, content_type = choose_encoder(_OPENMETRICS if openmetrics else "")
        body = encode(_WithoutCreated(self._registry))
        return Text(gzip.compress(body, _LEVEL) if zipped else body, content_type, zipped)


class _WithoutCreated:
    """A registry without the times at which series were created.

    The library gives each counter and histogram one more gauge for them, which nobody asks for.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [
                sample for sample in metric.samples if sample.name != f"{metric.name}_created"
            ]
            yield metric


def _offers(header: str) -> Iterator[tuple[str, str]]:
    """What a header accepts, the best first: its name, and the whole with its parameters.

    Source: RFC 9110, 12.4.2. The library takes the first that it knows, of whatever quality.
    """
    offers = []
    for offer in header.lower().split(","):
        found = _QUALITY.search(offer)
        quality = float(found[1]) if found else 1.0
        if quality > 0:
            offers.append((-quality, offer))
    for _, offer in sorted(offers, key=lambda each: each[0]):
        yield offer.partition(";")[0].strip(), offer


def _wants_openmetrics(accept: str) -> bool:
    for name, offer in _offers(accept):
        if name in _PLAIN:
            return False
        if name == _OPENMETRICS and _can_encode(offer):
            return True
    return False


def _can_encode(offer: str) -> bool:
    try:
        _, content_type = choose_encoder(offer)
    except TypeError:  # a version that is not made of numbers
        return False
    return content_type.startswith(_OPENMETRICS)


def _wants_gzip(accept_encoding: str) -> bool:
    return any(name == "gzip" for name, _ in _offers(accept_encoding))
