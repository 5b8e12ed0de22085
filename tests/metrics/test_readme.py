"""The README's table says what there is: no metric more, none less, each with its labels."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from rolloutd.condition import Condition
from rolloutd.hints import Mailbox
from rolloutd.instance import single_instance
from rolloutd.metrics.collectors import register_collectors
from rolloutd.metrics.work import WorkMetrics
from rolloutd.watch import Watcher
from tests.running import never

README = Path(__file__).parent.parent.parent / "README.md"
# What their values are is for the files and the machine to say.
FREE = {"model", "version", "python", "schema", "parser"}
_ROW = re.compile(r"\| `(rolloutd_\w+)` \| (\w+) \| (.*?) \| (.*?) \| (.+?) \|")


class Row(NamedTuple):
    """Of a metric: labels with the values that they may have, none said of those that are free."""

    kind: str
    labels: dict[str, tuple[str, ...]]
    meaning: str


def documented() -> dict[str, Row]:
    """What the README says."""
    found = {}
    for line in README.read_text().splitlines():
        row = _ROW.fullmatch(line)
        if row is not None:
            name, kind, labels, meaning, _ = row.groups()
            assert name not in found
            found[name] = Row(kind, dict(map(label_of, filter(None, labels.split("; ")))), meaning)
    return found


def label_of(text: str) -> tuple[str, tuple[str, ...]]:
    """Of "`state`: pending, running" or "`model`"."""
    name, _, values = text.partition(": ")
    return name.strip("`"), tuple(sorted(filter(None, values.split(", "))))


def row_of(metric: Metric) -> Row:
    """What a metric says of itself, by its series."""
    labels: dict[str, set[str]] = {}
    for sample in metric.samples:
        for name, value in sample.labels.items():
            if name != "le":
                labels.setdefault(name, set()).update([] if name in FREE else [value])
    values = {name: tuple(sorted(found)) for name, found in labels.items()}
    return Row(metric.type, values, metric.documentation.removesuffix("."))


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[list[Metric]]:
    """All of those of a daemon that has not begun yet."""
    registry = CollectorRegistry()
    work = WorkMetrics(registry)
    mailbox = Mailbox()
    database = tmp_path / "state.sqlite"
    with single_instance(database) as instance:
        watcher = Watcher(tmp_path, mailbox, "poll")
        condition = Condition(instance, watcher, mailbox, reconcile_seconds=60, has_endpoint=False)
        register_collectors(registry, work, condition, database, never)
        yield list(registry.collect())


def test_the_table_says_what_there_is(metrics: list[Metric]) -> None:
    declared = {
        metric.name + ("_total" if metric.type == "counter" else ""): row_of(metric)
        for metric in metrics
        if metric.name.startswith("rolloutd_")
    }
    assert documented() == declared


def test_others_are_the_process_s_own(metrics: list[Metric]) -> None:
    others = {metric.name for metric in metrics if not metric.name.startswith("rolloutd_")}
    assert others
    assert all(name == "python_info" or name.startswith("process_") for name in others)
