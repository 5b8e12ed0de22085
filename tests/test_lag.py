"""How late rows were, of files whose change was not known before."""

import time
from typing import cast

import pytest

from rolloutd.batches import Outcome
from rolloutd.lag import Lag
from rolloutd.meter import Meter
from rolloutd.records import FileStamp, Reading
from rolloutd.rollout.discovery import Candidate
from rolloutd.telling import Progress


class Counting:
    """The one thing of a meter that is told of here."""

    def __init__(self) -> None:
        self.lags: list[float] = []

    def lagged(self, seconds: float) -> None:
        self.lags.append(seconds)


def outcome(seconds_ago: float, *, is_gone: bool = False) -> Outcome:
    """Of a file that changed so long ago."""
    stamp = FileStamp(1, 2, 3, 4, ctime_ns=int((time.time() - seconds_ago) * 1e9))
    reading = None if is_gone else Reading("sessions/a", archived=False, encoding="plain")
    return Outcome(Candidate("sessions/a", stamp.packed()), reading)


@pytest.fixture
def progress() -> Progress:
    """Of a worker that compared everything a minute ago."""
    made = Progress(lambda _: None)
    made.reconciled_in(2.0)
    assert made.last_reconcile is not None
    made.last_reconcile -= 58
    return made


def seen(progress: Progress, *batch: Outcome) -> list[float]:
    meter = Counting()
    Lag(progress, cast("Meter", meter)).see(batch)
    return meter.lags


def test_each_file_is_told_of_and_the_latest_remembered(progress: Progress) -> None:
    assert seen(progress, outcome(1), outcome(5)) == pytest.approx([1, 5], abs=0.5)
    assert progress.lag == pytest.approx(5, abs=0.5)


def test_what_changed_before_everything_was_compared_is_not_late(progress: Progress) -> None:
    assert seen(progress, outcome(100)) == []
    assert progress.lag is None
    # The comparison itself may have come too early to see it.
    assert seen(progress, outcome(59)) == pytest.approx([59], abs=0.5)


def test_what_is_gone_or_no_file_has_no_change(progress: Progress) -> None:
    problem = Candidate("sessions/a", problem="FIFO, not a regular file")
    reading = Reading("sessions/a", archived=False, encoding="plain", error="FIFO")
    assert seen(progress, outcome(1, is_gone=True), Outcome(problem, reading)) == []


def test_a_clock_that_was_put_back(progress: Progress) -> None:
    assert seen(progress, outcome(-30)) == [0.0]
