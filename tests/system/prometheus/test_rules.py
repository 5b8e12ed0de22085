"""The rules that are shipped: what promtool says of them, and what an alert must have."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.system.prometheus.server import need_prometheus, promtool
from tests.system.prometheus.shipped import CONFIGURATION, PROMETHEUS, RULES, alerts

CASES = sorted((Path(__file__).parent / "rules").glob("*.test.yml"))
SEVERITIES = {"critical", "warning", "info"}


@pytest.fixture(scope="module", autouse=True)
def _prometheus() -> None:
    need_prometheus()


def test_promtool_accepts_the_configuration_and_the_rules() -> None:
    said = promtool("check", "config", "--lint=all", "--lint-fatal", str(CONFIGURATION))
    assert f"{len(RULES)} rule files found" in said
    said = promtool("check", "rules", "--lint=all", "--lint-fatal", *map(str, RULES))
    assert said.count("SUCCESS") == len(RULES)
    assert set(RULES) == {*PROMETHEUS.glob("*.rules.yml"), *PROMETHEUS.glob("*.alerts.yml")}


@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.name.split(".")[0])
def test_rules_do_what_their_cases_say(cases: Path) -> None:
    promtool("test", "rules", str(cases))


def test_every_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    fires: dict[bool, set[str]] = {True: set(), False: set()}
    for path in CASES:
        for group in yaml.safe_load(path.read_text())["tests"]:
            for case in group.get("alert_rule_test", []):
                fires[bool(case["exp_alerts"])].add(case["alertname"])
    assert fires[True] == fires[False] == set(alerts())


@pytest.mark.parametrize("name", alerts())
def test_what_an_alert_says(name: str) -> None:
    alert: dict[str, Any] = alerts()[name]
    assert re.fullmatch("Rolloutd[A-Z][A-Za-z]+", name)
    assert alert["labels"].keys() == {"severity"}
    assert alert["labels"]["severity"] in SEVERITIES
    assert alert["annotations"].keys() == {"summary", "description", "runbook"}
    # What to type, or which setting to change.
    assert "`" in alert["annotations"]["runbook"]
    assert "{{ $labels.instance }}" in alert["annotations"]["summary"]
