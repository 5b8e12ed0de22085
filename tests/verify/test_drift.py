"""Every kind of drift is found, and repaired into what a fresh backfill writes."""

from pathlib import Path

import pytest

from rolloutd.verify.findings import Kind
from tests.running import Place, dump, thread_id, watermark
from tests.verify.everything import (
    BROKEN,
    COPY,
    PLANTS,
    TWICE,
    Plant,
    make,
)
from tests.verify.verifying import drift, verify


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    make(made)
    return made


def test_a_true_database(place: Place) -> None:
    for deep in (True, False):
        result = verify(place, deep=deep, repair=True)
        assert result.is_true
        assert result.left is None
        found = result.found
        assert (found.drift, found.deep, found.files, found.threads) == ((), deep, 14, 11)
        assert (found.bytes > 0) == deep
    found = verify(place).found
    notes = {(each.kind, each.path or each.thread_id): each for each in found.notes}
    assert notes.keys() == {(Kind.UNINDEXABLE, BROKEN), (Kind.DUPLICATE, thread_id(TWICE))}
    assert notes[Kind.UNINDEXABLE, BROKEN].detail == "no valid line"
    assert notes[Kind.DUPLICATE, thread_id(TWICE)].paths == (watermark(TWICE), COPY)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_drift_is_found_and_repaired(place: Place, plant: Plant) -> None:
    before = dump(place.database)
    plant.apply(place)
    planted = dump(place.database)
    if plant.deep:
        assert not drift(place)
    for deep in (False, True):
        if deep or not plant.deep:
            found = drift(place, deep=deep)
            assert found.keys() == plant.kinds or (deep and found.keys() >= plant.kinds), found
    assert dump(place.database) == planted, "looking changes nothing"
    assert planted != before or plant.kinds & {
        Kind.MISSING,
        Kind.GONE,
        Kind.STALE,
        Kind.NAMES,
        Kind.HOME,
    }
    result = verify(place, deep=plant.deep, repair=True)
    assert result.is_true, result
    assert result.left is not None
    assert result.daemon is None
    assert dump(place.database) == place.fresh()
