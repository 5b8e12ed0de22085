"""The names of the session index, when no event tells of it, or it cannot be seen."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.living import Daemon, living, wait_until_true
from tests.daemon.scraping import scrape
from tests.metrics.samples import series
from tests.running import Place, change, dump, rows, thread_id, wait_until
from tests.state.test_database import without_privileges

QUICK: dict[str, Any] = {"ROLLOUTD_RECONCILE_SECONDS": "1"}
INDEX = "session_index.jsonl"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    made.thread(1)
    return made


def name(place: Place, text: str, *, by_rename: bool = False) -> None:
    file = place.home / ("new" if by_rename else INDEX)
    file.write_text(f'{{"id":"{thread_id(1)}","thread_name":"{text}"}}\n')
    if by_rename:
        file.rename(place.home / INDEX)


def names(place: Place) -> list[str]:
    return [text for (text,) in rows(place.database, "SELECT name FROM session_names")]


def looks_in_vain(daemon: Daemon, stage: str = "discover") -> float:
    return scrape(daemon)[series("errors_total", stage=stage)]


def test_an_index_that_was_there_between_two_looks(place: Place) -> None:
    """It is read when somebody asks for that, and gone before the watcher looks for it."""
    with living(place, **QUICK) as daemon:
        for number in range(3):
            name(place, f"{number}")
            daemon.hang_up()
            wait_until(lambda: names(place), "the name is there")
            (place.home / INDEX).unlink()
            wait_until(lambda: not names(place), "the name is gone", 5)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_names_changed_behind_the_daemons_back(place: Place) -> None:
    """Nothing has happened to the file: only who asks for it has them made true."""
    name(place, "true")
    with living(place, **QUICK) as daemon:
        wait_until(lambda: names(place) == ["true"], "the name is there")
        change(place.database, "UPDATE session_names SET name = 'false'")
        daemon.hang_up()
        wait_until_true(place)
        daemon.stop()


def test_a_home_that_is_away_keeps_its_names(place: Place) -> None:
    """As its rows: one that is not mounted says nothing of them."""
    name(place, "kept")
    away = place.root / "away"
    with living(place, **QUICK) as daemon:
        place.home.rename(away)
        wait_until(lambda: daemon.state and daemon.state.problem, "it is missed", 10)
        wait_until(lambda: daemon.state and daemon.state.last_event_ms, "its index is missed", 10)
        assert names(place) == ["kept"]
        away.rename(place.home)
        wait_until(lambda: daemon.state and not daemon.state.problem, "it is back", 10)
        assert names(place) == ["kept"]
        (place.home / INDEX).unlink()
        wait_until(lambda: not names(place), "the name is gone", 10)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_root_that_is_away_and_an_index_that_is_there(place: Place) -> None:
    with living(place, **QUICK) as daemon:
        shutil.rmtree(place.home / "sessions")
        wait_until(lambda: daemon.state and daemon.state.problem, "it is missed", 10)
        name(place, "new")
        wait_until(lambda: names(place) == ["new"], "the name is there", 10)
        daemon.stop()


@pytest.mark.parametrize("way", ["written", "renamed"])
def test_an_index_that_is_made_later_is_followed_by_events_too(place: Place, way: str) -> None:
    """Once it has been seen, it is watched: a look every two seconds is not enough."""
    with living(place) as daemon:
        took = []
        for number in range(4):
            began = time.monotonic()
            name(place, f"{number}", by_rename=way == "renamed")
            wait_until(lambda: names(place) == [f"{number}"], "the name is there", 5)  # noqa: B023
            took.append(time.monotonic() - began)
            daemon.is_in("following")
        assert min(took[1:]) < 1, took
        daemon.stop()


def test_a_session_index_that_cannot_be_read_is_told_once(place: Place) -> None:
    name(place, "kept")
    with living(place, prefix=without_privileges(), **QUICK) as daemon:
        (place.home / "session_index.jsonl").chmod(0)
        for _ in range(3):
            before = looks_in_vain(daemon, "names")
            daemon.hang_up()
            wait_until(lambda: looks_in_vain(daemon, "names") > before, "a look")  # noqa: B023
        assert daemon.says("the session index cannot be read") == 1
        assert names(place) == ["kept"]
        (place.home / "session_index.jsonl").chmod(0o600)
        wait_until_true(place)
        daemon.stop()


def test_a_home_that_is_closed_keeps_its_names(place: Place) -> None:
    name(place, "kept")
    with living(place, prefix=without_privileges(), **QUICK) as daemon:
        mode = place.home.stat().st_mode
        place.home.chmod(0)
        try:
            wait_until(lambda: daemon.state and daemon.state.problem, "it is missed", 10)
            for _ in range(3):
                before = looks_in_vain(daemon)
                daemon.hang_up()
                wait_until(lambda: looks_in_vain(daemon) > before, "a look")  # noqa: B023
                assert names(place) == ["kept"]
        finally:
            place.home.chmod(mode)
        wait_until_true(place)
        assert names(place) == ["kept"]
        daemon.stop()
