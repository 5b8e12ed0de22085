"""The dashboard as a document: what Grafana needs of it, and what a reader does."""

import re
from itertools import combinations
from typing import Any

import pytest

from tests.metrics.test_readme import documented
from tests.system.prometheus.shipped import dashboard, metrics_in, panels, queries, rules

COLUMNS = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    at = panel["gridPos"]
    return {
        (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    }


def test_panels_have_places_of_their_own() -> None:
    every = dashboard()["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    for one, other in combinations(every, 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])
    assert max(x for panel in every for x, _ in cells(panel)) < COLUMNS


def test_health_is_at_the_top() -> None:
    titles = [panel["title"] for panel in dashboard()["panels"] if panel["type"] == "row"]
    assert titles[:6] == ["True?", "Fresh?", "Cheap?", "Backfill", "Work", "Content"]


def test_it_can_be_imported_anywhere() -> None:
    document = dashboard()
    assert document["id"] is None
    assert document["uid"] == document["title"] == "rolloutd"
    assert [each["name"] for each in document["templating"]["list"]] == ["datasource", "instance"]
    sources = [panel["datasource"] for panel in panels()]
    sources += [target["datasource"] for panel in panels() for target in panel["targets"]]
    assert all(source == DATASOURCE for source in sources)


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: f"{panel['id']}-{panel['title']}")
def test_a_panel_can_be_read(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    if panel["type"] in {"stat", "bargauge", "table"}:
        assert defaults["noValue"]
        assert all(target["instant"] or _has_graph(panel) for target in panel["targets"])
    else:
        assert all(target["legendFormat"] != "__auto" for target in panel["targets"])
    assert [target["refId"] for target in panel["targets"]] == list("ABC")[: len(panel["targets"])]


def _has_graph(panel: dict[str, Any]) -> bool:
    return bool(panel["options"].get("graphMode") == "area")


def test_a_query_asks_one_daemon() -> None:
    for query in queries():
        for selector in query.expr.split("{")[1:]:
            assert 'job="rolloutd", instance="$instance"' in selector.split("}")[0], query


def test_what_it_and_the_rules_ask_for_is_there() -> None:
    asked = {name for query in queries() for name in metrics_in(query.expr)}
    asked |= {name for rule in rules() for name in metrics_in(rule["expr"])}
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in asked}
    records = {rule["record"] for rule in rules() if "record" in rule}
    own = {name for name in families if name.startswith("rolloutd_")}
    assert own == documented().keys()
    assert {name for name in families if name.startswith("instance:")} == records
