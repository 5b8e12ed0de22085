"""A real Prometheus scrapes a real daemon: targets, metrics, rules, alerts, the dashboard."""

import math
from collections.abc import Iterator

import pytest

from tests.metrics.test_readme import documented
from tests.system.prometheus.server import need_prometheus
from tests.system.prometheus.shipped import alerts, rules
from tests.system.prometheus.story import ARCHIVED, THREADS, Story, need_namespaces, told

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    need_prometheus()
    need_namespaces()
    with told(tmp_path_factory.mktemp("scraped")) as story:
        yield story


def test_the_target_is_up(story: Story) -> None:
    (target,) = story.targets
    assert target["health"] == "up", target
    assert target["lastError"] == ""
    assert target["labels"] == {"job": "rolloutd", "instance": story.instance}


def test_every_documented_metric_is_there(story: Story) -> None:
    assert documented() == story.metrics


def test_every_rule_can_be_evaluated(story: Story) -> None:
    assert [
        (rule["name"], rule["lastError"]) for rule in story.rules if rule["health"] != "ok"
    ] == []
    assert {rule["name"] for rule in story.rules} == {
        rule.get("alert") or rule["record"] for rule in rules()
    }


def test_recorded_series_have_values(story: Story) -> None:
    for rule in rules():
        if "record" in rule:
            found = story.prometheus.series(rule["record"], story.began, story.stopped, 0.5)
            assert any(math.isfinite(float(value)) for each in found for _, value in each["values"])


def test_nothing_fires_while_all_is_well(story: Story) -> None:
    assert story.quiet == {}


def test_trouble_fires_and_says_what_to_do(story: Story) -> None:
    assert story.troubled.keys() == {"RolloutdFilesUnindexable", "RolloutdWatcherDegraded"}
    for name, alert in story.troubled.items():
        assert alert["labels"]["instance"] == story.instance
        assert alert["labels"]["severity"] == alerts()[name]["labels"]["severity"]
        assert story.instance in alert["annotations"]["summary"]
        assert "{{" not in "".join(alert["annotations"].values())
    unindexable = story.troubled["RolloutdFilesUnindexable"]["annotations"]
    assert unindexable["description"].startswith("1 that were not there")


def test_a_daemon_that_is_down_is_the_only_alert(story: Story) -> None:
    assert story.down.keys() == {"RolloutdDown"}
    assert story.down["RolloutdDown"]["labels"] == {
        "alertname": "RolloutdDown",
        "severity": "critical",
        "job": "rolloutd",
        "instance": story.instance,
    }


def test_every_query_of_the_dashboard_shows_something(story: Story) -> None:
    asked = story.queries()
    assert len(asked) > 50
    empty = [
        query
        for query in asked
        if not any(
            math.isfinite(float(value))
            for each in story.asked(query)
            for _, value in each["values"]
        )
    ]
    assert empty == []


@pytest.mark.parametrize(
    ("panel", "last"),
    [
        ("State", [2]),
        ("Files not indexable", [2]),
        ("Threads", [THREADS - ARCHIVED, ARCHIVED]),
        ("Passes ended", [0, 1, 0]),
    ],
)
def test_what_a_panel_shows(story: Story, panel: str, last: list[float]) -> None:
    found = [
        each for query in story.queries() if query.panel == panel for each in story.asked(query)
    ]
    assert [float(each["values"][-1][1]) for each in found] == last
