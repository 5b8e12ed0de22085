"""What `deploy/` ships, taken apart: rules, alerts, the dashboard's queries."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rolloutd.resources import resource

DEPLOY = resource("deploy")
PROMETHEUS = DEPLOY / "prometheus"
CONFIGURATION = PROMETHEUS / "prometheus.yml"
RULES = (PROMETHEUS / "rolloutd.rules.yml", PROMETHEUS / "rolloutd.alerts.yml")
DASHBOARD = DEPLOY / "grafana" / "rolloutd.json"

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)([smhd])")
_WINDOW = re.compile(rf"(?<=\[){_DURATION.pattern}(?=\])")
_NAMES = re.compile(r"\b(?:(?:instance:)?rolloutd_|process_|python_)[a-z0-9_:]+")


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and the title of the panel that asks it."""

    panel: str
    expr: str


def rules() -> list[dict[str, Any]]:
    """Every rule of every file."""
    return [
        rule
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def dashboard() -> dict[str, Any]:
    """The dashboard's document."""
    document = json.loads(DASHBOARD.read_text())
    assert isinstance(document, dict)
    return document


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels, without the rows that only group them."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries(**variables: str) -> list[Query]:
    """Every query of the dashboard, with values for the variables of Grafana and its own."""
    document = dashboard()
    raw = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
    raw += [
        (each["name"], each["target"]["expr"])
        for each in document["annotations"]["list"]
        if "target" in each
    ]
    return [Query(panel, _fill(expr, variables)) for panel, expr in raw]


def _fill(expr: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        expr = re.sub(rf"\${name}\b", value, expr)
    return expr


def metrics_in(expr: str) -> Iterator[str]:
    """Names of what a query asks for, of rolloutd's own and its process's."""
    return (match[0] for match in _NAMES.finditer(expr))


def sooner(factor: int, target: str, folder: Path) -> Path:
    """Copies of configuration and rules in which every time is shorter by a factor.

    Scrapes, evaluations, windows and `for:` keep their proportions, so that the rules see as many
    samples as in earnest. Returns the configuration, which asks the `target`, a host and port.
    """
    folder.mkdir()
    for path in RULES:
        document = yaml.safe_load(path.read_text())
        for group in document["groups"]:
            for rule in group["rules"]:
                rule["expr"] = _WINDOW.sub(lambda each: _shorter(each[0], factor), rule["expr"])
                if "for" in rule:
                    rule["for"] = _shorter(rule["for"], factor)
        (folder / path.name).write_text(yaml.safe_dump(document))
    document = yaml.safe_load(CONFIGURATION.read_text())
    for name, value in document["global"].items():
        document["global"][name] = _shorter(value, factor)
    (job,) = document["scrape_configs"]
    job["static_configs"] = [{"targets": [target]}]
    configuration = folder / CONFIGURATION.name
    configuration.write_text(yaml.safe_dump(document))
    return configuration


def _shorter(duration: str, factor: int) -> str:
    match = _DURATION.fullmatch(duration)
    assert match is not None, duration
    return f"{int(match[1]) * _UNITS[match[2]] * 1000 // factor}ms"
