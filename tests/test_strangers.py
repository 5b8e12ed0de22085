"""What other programs write into the database, and what seeing to it may cost."""

from collections.abc import Iterator
from math import inf
from pathlib import Path

import pytest

from rolloutd import strangers
from rolloutd.indexer import Indexer
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease, Work, claim
from rolloutd.strangers import Strangers
from rolloutd.telling import Progress
from tests.running import Place, change, rows


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def pass_by(self) -> None:
        """As comparing some threads does."""
        self.now += 3.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(strangers, "time", made)
    return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in range(3):
        made.thread(number)
    made.index()
    return made


@pytest.fixture
def database(place: Place) -> Iterator[StateDatabase]:
    with StateDatabase.open_writer(place.database) as opened:
        yield opened


@pytest.fixture
def lease(database: StateDatabase) -> Lease:
    made = claim(database, Work.RECONCILE, 60.0)
    assert made is not None
    return made


@pytest.fixture
def ours(place: Place, database: StateDatabase, lease: Lease, clock: Clock) -> Strangers:
    del lease  # Claimed before anybody else writes.
    indexer = Indexer(str(place.home), "openai")
    return Strangers(database, indexer, Progress(lambda _now: None), clock.pass_by)


def meddle(place: Place) -> None:
    change(place.database, "UPDATE threads SET title = 'another'")


def is_right(place: Place) -> bool:
    return rows(place.database, "SELECT id FROM threads WHERE title = 'another'") == []


def test_what_is_written_by_us_is_no_strangers(ours: Strangers, lease: Lease, clock: Clock) -> None:
    with lease.transaction(scanned=7):
        pass
    clock.now += 10
    assert not ours.call_for_a_look(0.0, 0.0)
    assert not ours.note()


def test_it_is_seen_and_put_right(
    place: Place, ours: Strangers, lease: Lease, clock: Clock
) -> None:
    meddle(place)
    assert ours.call_for_a_look(0.1, clock.now - 10.1)
    assert ours.note()
    ours.put_right(lease)
    assert is_right(place)
    clock.now += 10
    assert not ours.call_for_a_look(0.1, 0.0)
    assert not ours.note()


def test_a_look_takes_its_share_of_the_time(place: Place, ours: Strangers, clock: Clock) -> None:
    meddle(place)
    assert not ours.call_for_a_look(0.5, clock.now - 9)
    assert ours.call_for_a_look(0.5, clock.now - 11)
    assert not ours.call_for_a_look(0.5, clock.now - 11), "so soon again"
    clock.now += 2
    assert ours.call_for_a_look(0.5, clock.now - 11)


def test_who_meddles_again_is_seen_to_again(place: Place, ours: Strangers, lease: Lease) -> None:
    for _ in range(3):
        meddle(place)
        assert ours.note()
        ours.put_right(lease)
        assert is_right(place)


def test_who_writes_something_else_all_the_time_waits(
    place: Place, ours: Strangers, lease: Lease, clock: Clock
) -> None:
    """Comparing all threads took three seconds for nothing."""
    change(place.database, "CREATE TABLE notes (text TEXT)")
    assert ours.note()
    ours.put_right(lease)
    meddle(place)
    assert not ours.call_for_a_look(0.5, clock.now - 49)
    assert ours.call_for_a_look(0.5, clock.now - 51)
    for later, righted in ((290, False), (20, True)):
        clock.now += later
        assert ours.note()
        ours.put_right(lease)
        assert is_right(place) is righted


def test_unless_it_is_asked_for(place: Place, ours: Strangers, lease: Lease) -> None:
    change(place.database, "CREATE TABLE notes (text TEXT)")
    ours.note()
    ours.put_right(lease)
    meddle(place)
    ours.suspect()
    ours.put_right(lease)
    assert is_right(place)


def test_what_is_too_early_is_asked_again_when_it_is_due(
    place: Place, ours: Strangers, clock: Clock
) -> None:
    meddle(place)
    assert ours.call_for_a_look(0.0, clock.now)
    assert ours.due == inf, "it is looked at, not asked"
    clock.now += 0.5
    assert not ours.call_for_a_look(0.0, clock.now)
    assert ours.due == clock.now + 1.5
    assert not ours.call_for_a_look(1.0, clock.now)
    assert ours.due > clock.now + 10, "looking has cost much"
    clock.now = ours.due
    assert ours.call_for_a_look(1.0, 1000.5)
    assert ours.due == inf
