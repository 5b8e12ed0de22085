"""Drift, told from changes whose events are only late."""

import time
from typing import cast

from rolloutd.drift import Drifts
from rolloutd.hints import Hints
from rolloutd.meter import Drift, Meter

DAY = "sessions/2026/01/01"
PLAIN = f"{DAY}/rollout-a.jsonl"
OTHER = f"{DAY}/rollout-b.jsonl"
LATER = 1000.0


class Counting:
    """The one thing of a meter that is told of here."""

    def __init__(self) -> None:
        self.told: list[tuple[Drift, int]] = []

    def drifted(self, kind: Drift, files: int) -> None:
        self.told.append((kind, files))


def drifts_after(
    found: dict[str, Drift], *heard: Hints, now: float = LATER
) -> list[tuple[Drift, int]]:
    meter = Counting()
    drifts = Drifts(cast("Meter", meter))
    drifts.suspect(found, 0.0)
    for hints in heard:
        drifts.hear(hints)
    drifts.settle(now)
    drifts.settle(now + 1)
    return sorted(meter.told)


def files(*paths: str) -> Hints:
    return Hints(files=dict.fromkeys(paths))


def test_what_nothing_tells_of_is_drift_by_its_kind() -> None:
    found: dict[str, Drift] = {PLAIN: "stale", OTHER: "stale", "sessions/c": "gone"}
    assert drifts_after(found) == [("gone", 1), ("stale", 2)]


def test_it_is_not_told_before_an_event_could_have_come() -> None:
    assert drifts_after({PLAIN: "stale"}, now=1.0) == []


def test_an_event_explains_a_file() -> None:
    assert drifts_after({PLAIN: "stale", OTHER: "missing"}, files(PLAIN)) == [("missing", 1)]


def test_an_event_explains_the_compressed_form_too() -> None:
    found: dict[str, Drift] = {PLAIN: "gone", PLAIN + ".zst": "missing"}
    assert drifts_after(found, files(PLAIN + ".zst")) == []
    assert drifts_after(found, files(PLAIN)) == []


def test_an_event_of_a_directory_explains_what_lies_below() -> None:
    assert drifts_after({PLAIN: "missing"}, Hints(directories={"sessions/2026": None})) == []
    assert drifts_after({PLAIN: "missing"}, Hints(directories={f"{DAY}-x": None})) != []


def test_a_request_to_look_everywhere_explains_all() -> None:
    assert drifts_after({PLAIN: "gone", OTHER: "stale"}, Hints(everything=True)) == []
    assert drifts_after({PLAIN: "gone"}, Hints(names=True)) == [("gone", 1)]


def test_very_many_directories_do_not_take_long() -> None:
    found: dict[str, Drift] = {f"sessions/{number}/a/b/c": "missing" for number in range(30_000)}
    directories = dict.fromkeys(f"sessions/{number}/x" for number in range(30_000))
    began = time.process_time()
    assert drifts_after(found, Hints(directories=directories)) == [("missing", 30_000)]
    assert time.process_time() - began < 5
