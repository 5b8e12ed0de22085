"""The text of the metrics: its forms, and that it is not made more often than need be."""

import gzip
from collections.abc import Iterator

import anyio
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from rolloutd.metrics import exposition
from rolloutd.metrics.exposition import Exposition
from tests.metrics.samples import samples_of

# What Prometheus 2.42 and 3.0 send.
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
    "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)

pytestmark = pytest.mark.anyio


class Questions:
    """A collector that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def collect(self) -> Iterator[Metric]:
        self.asked += 1
        yield GaugeMetricFamily("asked", "How often.", value=self.asked)


@pytest.fixture
def questions() -> Questions:
    return Questions()


@pytest.fixture
def texts(questions: Questions) -> Exposition:
    registry = CollectorRegistry()
    registry.register(questions)
    Counter("some_total", "Some.", registry=registry).inc(3)
    return Exposition(registry)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/html,application/xhtml+xml",
        "text/plain",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text; version=x",
        "application/openmetrics-text; version=1.x",
        "text/plain;version=;",
        ";=;,,=",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;version=1.0.0;q=0.000",
        "application/openmetrics-text;q=0.1,text/plain;version=0.0.4",
        "application/openmetrics-text;q=0.1,*/*;q=0.2",
        "a" * 10_000,
    ],
)
async def test_plain_text_for_who_asks_for_nothing_else(texts: Exposition, accept: str) -> None:
    text = await texts.text(accept, "")
    assert text.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert samples_of(text.body.decode()) == {("asked", ()): 1, ("some_total", ()): 3}


@pytest.mark.parametrize(
    "accept",
    [
        PROMETHEUS_2,
        PROMETHEUS_3,
        "application/openmetrics-text",
        "Application/OpenMetrics-Text ; Q=1.0",
        "text/plain;q=0.3, application/openmetrics-text;version=1.0.0;q=0.5",
        "text/html, application/openmetrics-text;q=nonsense",
    ],
)
async def test_openmetrics_for_prometheus(texts: Exposition, accept: str) -> None:
    text = await texts.text(accept, "")
    assert text.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = text_string_to_metric_families(text.body.decode())  # type: ignore[no-untyped-call]
    assert {each.name: each.type for each in families} == {"asked": "gauge", "some": "counter"}


async def test_zipped_if_asked(texts: Exposition) -> None:
    plain = await texts.text("", "identity")
    zipped = await texts.text("", "br;q=0.5, gzip")
    assert (plain.is_zipped, zipped.is_zipped) == (False, True)
    assert samples_of(gzip.decompress(zipped.body).decode()).keys() == (
        samples_of(plain.body.decode()).keys()
    )


@pytest.mark.parametrize(
    ("accept_encoding", "is_zipped"),
    [
        ("gzip", True),
        ("GZIP;q=0.1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
        ("br, gzip;q=0;x=1", False),
        ("gzipped", False),
    ],
)
async def test_by_its_quality(texts: Exposition, accept_encoding: str, *, is_zipped: bool) -> None:
    assert (await texts.text("", accept_encoding)).is_zipped is is_zipped


async def test_no_times_of_creation(texts: Exposition) -> None:
    for accept in ("", PROMETHEUS_2):
        assert b"_created" not in (await texts.text(accept, "")).body


async def test_a_flood_is_answered_once(
    texts: Exposition, questions: Questions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposition, "_FRESH_SECONDS", 60.0)
    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(texts.text, "", "")
    assert questions.asked == 1
    # Whatever they ask for: there are two forms, each zipped or not.
    for number in range(20):
        await texts.text(f"application/openmetrics-text;version=1.{number}", "")
        await texts.text(f"text/plain;version=1.{number}", "gzip" if number % 2 else "")
    assert questions.asked == 3
    monkeypatch.setattr(exposition, "_FRESH_SECONDS", 0.0)
    await texts.text("", "")
    assert questions.asked == 4


async def test_who_waits_for_a_slow_one_shares_it() -> None:
    now = [0.0]

    class Slow(Questions):
        """Takes longer than a text is fresh."""

        def collect(self) -> Iterator[Metric]:
            """See `Questions`."""
            now[0] += 0.6
            return super().collect()

    slow = Slow()
    registry = CollectorRegistry()
    registry.register(slow)
    slow.asked = 0
    texts = Exposition(registry, clock=lambda: now[0])
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(texts.text, "", "")
    assert slow.asked == 1


async def test_each_form_is_as_fresh_as_any(questions: Questions) -> None:
    registry = CollectorRegistry()
    registry.register(questions)
    now = [0.0]
    texts = Exposition(registry, clock=lambda: now[0])
    first = await texts.text("", "")
    now[0] = 0.4
    await texts.text("", "gzip")
    now[0] = 0.6
    assert await texts.text("", "") != first
    assert questions.asked == 3
