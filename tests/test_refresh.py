"""Files that move while they are looked at, as Codex moves them: their threads are never absent."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
import zstandard

from rolloutd.batches import Batches
from rolloutd.follow import Follower
from rolloutd.hints import Hints
from rolloutd.indexer import Indexer
from rolloutd.progress import QuietObserver
from rolloutd.reconcile import Reconcile
from rolloutd.rollout.discovery import discover
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Work, claim
from tests.daemon.living import append, content
from tests.faults.test_edges import AtFile
from tests.oracle.cases_build import tokens
from tests.running import Place, change, dump, never, rows, thread_id, watermark

# Where one thread may lie.
PLAIN, PACKED = watermark(2), watermark(2, ending=".jsonl.zst")
ARCHIVED = watermark(2, root="archived_sessions")

MOVES = [(PLAIN, PACKED), (PACKED, PLAIN), (PLAIN, ARCHIVED), (ARCHIVED, PLAIN)]

Way: TypeAlias = Callable[["Desk"], object]


class Desk:
    """One worker with its lease, whose `observer` is told of each file that was read."""

    def __init__(
        self, place: Place, database: StateDatabase, pool: ReaderPool, observer: QuietObserver
    ) -> None:
        lease = claim(database, Work.RECONCILE, 60)
        assert lease is not None
        self.lease = lease
        self.home = place.home
        indexer = Indexer(str(place.home), "openai")
        batches = Batches(pool, observer, 1, never)
        self.follower = Follower(database, place.home, indexer, batches)
        self.reconcile = Reconcile(database, indexer, batches, observer)


def follow(desk: Desk) -> None:
    """By hints, as after events at each of the places."""
    desk.follower.follow(desk.lease, Hints(files=dict.fromkeys((watermark(1), PLAIN, ARCHIVED))))


def reconcile(desk: Desk) -> None:
    """By a look at everything."""
    desk.reconcile.run(desk.lease, discover(desk.home))


def look(place: Place, way: Way, observer: QuietObserver) -> None:
    with (
        StateDatabase.open_writer(place.database) as database,
        ReaderPool(str(place.home), 1) as pool,
    ):
        desk = Desk(place, database, pool, observer)
        way(desk)
        desk.lease.release()


def move(home: Path, origin: str, target: str) -> None:
    """As Codex does it: at no time is there neither."""
    if origin.endswith(".zst") == target.endswith(".zst"):
        (home / origin).rename(home / target)
        return
    content = (home / origin).read_bytes()
    (home / target).write_bytes(
        zstandard.ZstdDecompressor().decompress(content)
        if origin.endswith(".zst")
        else zstandard.ZstdCompressor().compress(content)
    )
    (home / origin).unlink()


@pytest.fixture(params=MOVES, ids=["compress", "decompress", "archive", "unarchive"])
def moved(request: pytest.FixtureRequest) -> tuple[str, str]:
    """From where, to where."""
    origin, target = request.param
    return origin, target


@pytest.fixture
def place(tmp_path: Path, moved: tuple[str, str]) -> Place:
    """Both threads have grown since they were indexed; 2 lies where it will move from."""
    place = Place.make(tmp_path)
    (place.home / "archived_sessions").mkdir()
    place.thread(2)
    first = place.thread(1)
    if moved[0] != PLAIN:
        move(place.home, PLAIN, moved[0])
    place.index()
    append(first, tokens(1))
    if moved[0] != PACKED:
        append(place.home / moved[0], tokens(2))
    refuse_absence(place)
    return place


def refuse_absence(place: Place) -> None:
    absent = "BEGIN SELECT RAISE(ABORT, 'a thread is absent'); END"
    change(place.database, f"CREATE TRIGGER absent AFTER DELETE ON threads {absent}")


def check(place: Place, way: Way, path: str) -> None:
    """Once events of what happened during the look have led to another one, all is as it is."""
    look(place, way, QuietObserver())
    found = rows(place.database, "SELECT path FROM rollouts WHERE thread_id = ?", thread_id(2))
    assert found == [(path,)]
    assert content(dump(place.database)) == content(place.fresh())


@pytest.mark.parametrize("way", [follow, reconcile])
def test_between_the_look_and_the_reading(place: Place, moved: tuple[str, str], way: Way) -> None:
    look(place, way, AtFile(1, lambda: move(place.home, *moved)))
    check(place, way, moved[1])


@pytest.mark.parametrize("way", [follow, reconcile])
def test_there_and_back(place: Place, moved: tuple[str, str], way: Way) -> None:
    look(place, way, QuietObserver())
    append(place.home / watermark(1), tokens(3))
    move(place.home, *moved)
    look(place, way, AtFile(1, lambda: move(place.home, *reversed(moved))))
    check(place, way, moved[0])


def test_a_walk_that_came_too_late_and_too_early(place: Place, moved: tuple[str, str]) -> None:
    # It saw neither: it was at the one place before the move, at the other after it.
    move(place.home, *moved)
    (place.home / moved[1]).rename(place.root / "away")
    seen = discover(place.home)
    (place.root / "away").rename(place.home / moved[1])
    look(place, lambda desk: desk.reconcile.run(desk.lease, seen), QuietObserver())
    check(place, reconcile, moved[1])


class Restless(QuietObserver):
    """Moves every file to the other place whenever one was read."""

    def __init__(self, home: Path, places: list[tuple[str, str]]) -> None:
        super().__init__()
        self._home = home
        self._places = places

    def advance(self, files: int, size: int) -> None:  # noqa: ARG002
        if size:
            for origin, target in self._places:
                move(self._home, origin, target)
            self._places = [(target, origin) for origin, target in self._places]


def test_files_that_never_hold_still_are_left_for_another_look(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    (place.home / "archived_sessions").mkdir()
    for number in range(10):
        place.thread(number)
    place.index()
    refuse_absence(place)
    places = []
    for number in range(1, 10):
        origin, target = watermark(number), watermark(number, root="archived_sessions")
        move(place.home, origin, target)
        places.append((target, origin))
    look(place, reconcile, Restless(place.home, places))
    look(place, reconcile, QuietObserver())
    assert content(dump(place.database)) == content(place.fresh())
