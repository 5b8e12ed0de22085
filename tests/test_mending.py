"""Mending some threads: whatever their rows say, the database equals a fresh one afterwards."""

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rolloutd import mending
from rolloutd.batches import Batches, Stopped
from rolloutd.errors import ConfigurationError, WorkHeld
from rolloutd.mending import Mended, Mending
from rolloutd.progress import QuietObserver
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Work, claim
from rolloutd.state.process import Owner
from rolloutd.state.rollouts import DISTRUSTED
from tests.oracle.cases_build import meta, user
from tests.running import Place, change, dump, never, rows, state_of, thread_id, watermark

NUMBERS = (1, 2, 3)
SEGMENT = watermark(1).replace(".jsonl", f"_{thread_id(9)}.jsonl")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Three threads, the first of them in two files, the last one archived."""
    place = Place.make(tmp_path)
    for number in NUMBERS[:2]:
        place.thread(number)
    place.thread(1, path=SEGMENT)
    place.thread(3, path=watermark(3, root="archived_sessions"))
    place.index()
    return place


def mend(place: Place, *numbers: int, paths: tuple[str, ...] = (), **options: Any) -> Mended:
    with (
        ReaderPool(str(place.home), 1) as pool,
        StateDatabase.open_writer(place.database) as database,
    ):
        stopping = options.pop("stopping", never)
        batches = Batches(pool, QuietObserver(), 200, stopping)
        return Mending(database, options.pop("home", place.home), batches, 60).run(
            [thread_id(number) for number in numbers], paths
        )


DAMAGES = (
    "UPDATE threads SET rollout_path = '/nothing' WHERE id = ?",
    "UPDATE threads SET tokens_used = 7, title = 'x', archived = 1 - archived WHERE id = ?",
    "DELETE FROM threads WHERE id = ?",
    "DELETE FROM rollouts WHERE thread_id = ?",
    "UPDATE rollouts SET offset = offset + 1 WHERE thread_id = ?",
    "UPDATE rollouts SET summary = '{}', resume = NULL WHERE thread_id = ?",
    "UPDATE rollouts SET summary = 'no JSON' WHERE thread_id = ?",
    "UPDATE rollouts SET error = 'x', archived = 1 - archived WHERE thread_id = ?",
    "INSERT OR IGNORE INTO thread_spawn_edges VALUES ('x', ?, 'open')",
    (
        "INSERT OR IGNORE INTO thread_dynamic_tools (thread_id, position, name, description,"
        " input_schema) SELECT id, 0, '', '', '' FROM threads WHERE id = ?"
    ),
)


@settings(max_examples=15)
@given(
    damages=st.lists(st.tuples(st.sampled_from(DAMAGES), st.sampled_from(NUMBERS)), max_size=4),
    moves=st.sets(st.sampled_from(NUMBERS[:2])),
)
def test_whatever_was_wrong(place: Place, damages: list[tuple[str, int]], moves: set[int]) -> None:
    """Rows damaged, files moved behind their backs; asked for by id and by all that is known."""
    saved = place.database.with_name("saved.sqlite")
    if not saved.exists():
        shutil.copy(place.database, saved)
    shutil.copy(saved, place.database)
    moved = []
    for statement, number in damages:
        change(place.database, statement, thread_id(number))
    for number in moves:
        file = place.home / watermark(number)
        moved.append((file, file.rename(place.home / "archived_sessions" / file.name)))
    paths = tuple(watermark(number) for number in NUMBERS)
    try:
        archived = watermark(3, root="archived_sessions")
        assert mend(place, *NUMBERS, paths=(*paths, SEGMENT, archived)).is_all
        assert dump(place.database) == place.fresh()
    finally:
        for file, now in moved:
            now.rename(file)


def test_others_are_left_as_they_are(place: Place) -> None:
    change(place.database, "UPDATE threads SET title = 'wrong'")
    mend(place, 1)
    titles = dict(rows(place.database, "SELECT id, title FROM threads"))
    assert titles[thread_id(1)] == "prompt 1"
    assert titles[thread_id(2)] == titles[thread_id(3)] == "wrong"


def test_a_thread_that_is_gone_goes(place: Place) -> None:
    (place.home / watermark(2)).unlink()
    assert mend(place, 1, 2) == Mended(is_all=True, dropped=1)
    assert dump(place.database) == place.fresh()


def test_the_rows_of_a_root_that_is_away_stay(place: Place) -> None:
    before = dump(place.database)
    (place.home / "sessions").rename(place.home / "away")
    assert mend(place, 1, 2) == Mended(is_all=False, dropped=0)
    assert dump(place.database) == before


def test_rows_of_what_cannot_be_looked_for_stay(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # root gets none

    before = dump(place.database)
    monkeypatch.setattr(mending, "look_around", refuse)
    assert mend(place, 1, 2) == Mended(is_all=False, dropped=0)
    assert dump(place.database) == before


def test_a_row_that_no_file_was_ever_behind(place: Place) -> None:
    before = dump(place.database)
    change(
        place.database,
        "INSERT INTO threads (id, source, created_at, updated_at, rollout_path, model_provider,"
        " cwd, title, sandbox_policy, approval_mode) VALUES (?, '', 0, 0, '', '', '', '', '', '')",
        thread_id(7),
    )
    mend(place, 7, paths=("/somewhere/else.jsonl", "sessions/custom.jsonl", "x"))
    assert dump(place.database) == before


def test_the_provider_that_the_database_rests_on_counts(place: Place) -> None:
    place.thread(2, meta(model_provider=...), user())
    place.index()
    change(place.database, "UPDATE home SET model_provider = 'bound'")
    mend(place, 2)
    query = "SELECT model_provider FROM threads WHERE id = ?"
    assert rows(place.database, query, thread_id(2)) == [("bound",)]


def test_another_home_is_refused(place: Place, tmp_path: Path) -> None:
    before = dump(place.database)
    with pytest.raises(ConfigurationError, match="the index of"):
        mend(place, 1, home=tmp_path / "other")
    assert dump(place.database) == before


@contextmanager
def held(place: Place) -> Iterator[None]:
    """Somebody else has the lease: a process of which nothing is known here."""
    someone = Owner("token", "elsewhere", "boot", 17, 1, 1)
    with StateDatabase.open_writer(place.database) as database:
        lease = claim(database, Work.RECONCILE, 600, someone)
        assert lease is not None
        yield
        lease.release()


def test_whoever_holds_the_work_is_left_to_it(place: Place) -> None:
    """Nothing is written but a mark, and the holder's next look at everything mends the rest."""
    fresh = dump(place.database)
    change(place.database, "UPDATE rollouts SET summary = '{}' WHERE thread_id = ?", thread_id(2))
    change(place.database, "UPDATE threads SET title = 'x' WHERE id = ?", thread_id(2))
    with held(place):
        with pytest.raises(WorkHeld, match="process 17 on elsewhere holds the work"):
            mend(place, 2)
        query = "SELECT path FROM rollouts WHERE parser_version = ?"
        assert rows(place.database, query, DISTRUSTED) == [(watermark(2),)]
        assert rows(place.database, "SELECT title FROM threads WHERE title = 'x'")
    place.index()
    assert dump(place.database) == fresh


def test_the_backfill_comes_first(place: Place) -> None:
    change(place.database, "UPDATE backfill_state SET status = 'pending'")
    with pytest.raises(WorkHeld, match="the backfill is not complete: `rolloutd backfill`"):
        mend(place, 1)


def test_before_any_backfill(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    place.thread(1)
    with pytest.raises(WorkHeld, match="not complete"):
        mend(place, 1)
    assert rows(place.database, "SELECT id FROM threads") == []


def test_on_request_it_stops_and_gives_the_lease_back(place: Place) -> None:
    before = dump(place.database)
    with pytest.raises(Stopped):
        mend(place, 1, stopping=lambda: True)
    assert state_of(place.database)["owner_token"] is None
    assert json.dumps(dump(place.database)["threads"]) == json.dumps(before["threads"])
