"""Readiness, as a pure function of how the parts are."""

from typing import Any, get_args

import pytest

from rolloutd.readiness import Parts, Phase, why_not_ready

READY = Parts("following", is_listening=True, is_armed=True, reconciled=1000.0, took=2.0)
PERIOD = 60.0


def reason(now: float = 1000.0, **changes: Any) -> str | None:
    return why_not_ready(READY._replace(**changes), PERIOD, now)


def test_ready() -> None:
    assert reason() is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"is_listening": False}, "endpoint"),
        ({"is_armed": False}, "watch"),
        ({"phase": "starting", "reconciled": None}, "starting"),
        ({"phase": "waiting"}, "waiting"),
        ({"phase": "backfill"}, "backfill"),
        ({"phase": "failing"}, "database"),
        ({"reconciled": None}, "compared"),
    ],
)
def test_each_part_alone_makes_it_unready(changes: dict[str, Any], words: str) -> None:
    assert words in (reason(**changes) or "")


@pytest.mark.parametrize("phase", get_args(Phase))
def test_a_reason_is_one_line(phase: Phase) -> None:
    why = reason(phase=phase)
    assert (why is None) == (phase == "following")
    assert "\n" not in (why or "")


def test_stale_after_three_periods_and_the_time_that_a_reconcile_takes() -> None:
    assert reason(now=1000 + 3 * PERIOD + 2) is None
    assert "stale" in (reason(now=1000 + 3 * PERIOD + 2.1) or "")
    assert reason(now=1000 + 3 * PERIOD + 500, took=600) is None


def test_other_faults_come_before_staleness() -> None:
    assert "database" in (reason(now=1e6, phase="failing") or "")
