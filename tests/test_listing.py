"""Lists: pages that fit together, cursors, and rows whose file is not where it was."""

import base64
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rolloutd.errors import BadUsage
from rolloutd.listing import Listing, Page
from rolloutd.state.database import StateDatabase
from rolloutd.state.reader import StateReader
from rolloutd.state.selection import Order, Selection, Sort
from tests.running import Place, change, thread_id, watermark
from tests.threads import insert_threads, thread

EVERYTHING = Selection(archived=None, sources=(), empty=True)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database of no home: its rows are taken at their word."""
    path = tmp_path / "state.sqlite"
    with StateDatabase.open_writer(path):
        pass
    return path


def ids(page: Page) -> list[str]:
    return [row["id"] for row in page.threads]


def listed(place: Place, selection: Selection = EVERYTHING, **options: Any) -> Page:
    """One page with everything on it."""
    with StateReader.open(place.database) as reader:
        return Listing(selection, **options).page(reader, 1000)


def pages(
    path: Path, listing: Listing, limit: int, between: Callable[[], object] = lambda: None
) -> Iterator[Page]:
    cursor = None
    while True:
        with StateReader.open(path) as reader:
            page = listing.page(reader, limit, cursor)
        yield page
        cursor = page.next_cursor
        if cursor is None:
            return
        between()


@settings(max_examples=50)
@given(
    times=st.lists(st.integers(min_value=0, max_value=3), max_size=12),
    limit=st.integers(min_value=1, max_value=5),
    sort=st.sampled_from(Sort),
    order=st.sampled_from(Order),
)
def test_pages_make_the_whole_list(
    path: Path, times: list[int], limit: int, sort: Sort, order: Order
) -> None:
    """Of threads whose times are often equal."""
    threads = [thread(number, at_ms=at) for number, at in enumerate(times)]
    insert_threads(path, threads, instead=True)
    found = list(pages(path, Listing(EVERYTHING, sort, order), limit))
    together = [each for page in found for each in ids(page)]
    keys = [(row["recency_at_ms"], row["id"]) for row in threads]
    assert together == [each for _, each in sorted(keys, reverse=order is Order.DESCENDING)]
    assert all(len(page.threads) == limit for page in found[:-1])
    assert len(found[-1].threads) > 0 or not times


def test_what_comes_in_meanwhile_moves_nothing(path: Path) -> None:
    insert_threads(path, [thread(number, at_ms=number) for number in range(10, 20)])
    new = iter(range(20, 40))

    def come_and_go() -> None:
        insert_threads(path, [thread(next(new), at_ms=100)])
        change(path, "DELETE FROM threads WHERE id = ?", thread(19)["id"])

    together = [
        each for page in pages(path, Listing(EVERYTHING), 3, come_and_go) for each in ids(page)
    ]
    assert together == [thread(number)["id"] for number in range(19, 9, -1)]


def test_the_last_page_has_no_cursor(path: Path) -> None:
    insert_threads(path, [thread(number) for number in range(1, 5)])
    with StateReader.open(path) as reader:
        assert Listing(EVERYTHING).page(reader, 4).next_cursor is None
        assert Listing(EVERYTHING).page(reader, 3).next_cursor is not None


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "not a cursor",
        "ünïcödé",
        "AAAA",
        "1 recency desc 5 a",
        encoded("1 recency desc"),
        encoded("2 recency desc 5 a"),
        encoded(f"1 recency desc {2**63} a"),
        encoded("1 recency desc x a"),
        encoded("1 recency desc 5 a") + "==",
    ],
)
def test_a_malformed_cursor_is_refused(path: Path, cursor: str) -> None:
    with (
        StateReader.open(path) as reader,
        pytest.raises(BadUsage, match=r"--cursor .*: allowed is the next_cursor of a list"),
    ):
        Listing(EVERYTHING).page(reader, 3, cursor)


def test_a_cursor_of_another_sort_is_refused_by_name(path: Path) -> None:
    insert_threads(path, [thread(number) for number in range(1, 5)])
    with StateReader.open(path) as reader:
        cursor = Listing(EVERYTHING, Sort.CREATED).page(reader, 1).next_cursor
        with pytest.raises(BadUsage, match=r"is of a list with --sort created --order desc"):
            Listing(EVERYTHING).page(reader, 1, cursor)
        with pytest.raises(BadUsage, match=r"this one has --sort created --order asc"):
            Listing(EVERYTHING, Sort.CREATED, Order.ASCENDING).page(reader, 1, cursor)
        # What is selected is another matter.
        assert Listing(Selection(), Sort.CREATED).page(reader, 9, cursor).threads


def test_archived_only_active_only_and_both(place: Place) -> None:
    place.thread(1)
    place.thread(2, path=watermark(2, root="archived_sessions"))
    place.index()
    assert ids(listed(place, Selection())) == [thread_id(1)]
    assert ids(listed(place, Selection(archived=True))) == [thread_id(2)]
    assert set(ids(listed(place, Selection(archived=None)))) == {thread_id(1), thread_id(2)}


def test_a_row_whose_file_has_vanished_is_left_out_and_told(place: Place) -> None:
    for number in range(1, 6):
        place.thread(number)
    place.index()
    for number in (2, 3):
        (place.home / watermark(number)).unlink()
    page = listed(place)
    assert set(ids(page)) == {thread_id(1), thread_id(4), thread_id(5)}
    assert page.stale == {thread_id(number): [watermark(number)] for number in (2, 3)}
    with StateReader.open(place.database) as reader:
        assert len(Listing(EVERYTHING).page(reader, 3).threads) == 3
        assert Listing(EVERYTHING).page(reader, 3).next_cursor is None


def test_nothing_is_told_of_a_root_that_is_away(place: Place) -> None:
    """A home that is not mounted has not lost its threads one by one."""
    place.thread(1)
    place.thread(2, path=watermark(2, root="archived_sessions"))
    place.index()
    (place.home / "sessions").rename(place.home / "away")
    page = listed(place)
    assert set(ids(page)) == {thread_id(1), thread_id(2)}
    assert page.stale == {}


def test_a_file_that_codex_has_compressed_is_still_listed(place: Place) -> None:
    file = place.thread(1)
    place.index()
    file.rename(file.with_name(file.name + ".zst"))
    page = listed(place)
    assert [row["rollout_path"] for row in page.threads] == [f"{file}.zst"]
    assert page.stale == {thread_id(1): [watermark(1)]}


def test_a_file_that_codex_has_archived_is_listed_there(place: Place) -> None:
    file = place.thread(1)
    place.index()
    (place.home / "archived_sessions").mkdir()
    moved = file.rename(place.home / "archived_sessions" / file.name)
    assert ids(listed(place, Selection())) == []
    [row] = listed(place, EVERYTHING).threads
    assert (row["rollout_path"], row["archived"]) == (str(moved), 1)


def test_a_row_of_another_place_is_left_out(place: Place) -> None:
    place.thread(1)
    place.index()
    change(place.database, "UPDATE threads SET rollout_path = '/old/home/sessions/r.jsonl'")
    assert listed(place).threads == []
    assert listed(place).stale == {thread_id(1): ["/old/home/sessions/r.jsonl"]}


def test_a_page_is_of_one_moment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many queries it takes, a writer in between does not show."""
    insert_threads(path, [thread(number, at_ms=number) for number in range(1, 9)])
    change(path, "INSERT INTO home VALUES (1, ?, 'openai')", str(path.parent))
    change(path, "UPDATE threads SET rollout_path = '/gone' WHERE recency_at_ms > 4")
    with StateReader.open(path) as reader, closing(sqlite3.connect(path)) as other:
        asked = reader.rows

        def interrupted(query: str, *values: Any) -> Any:
            rows = asked(query, *values)
            if "FROM threads" in query:
                other.execute("DELETE FROM threads WHERE recency_at_ms <= 4")
                other.commit()
            return rows

        monkeypatch.setattr(reader, "rows", interrupted)
        change(path, "UPDATE threads SET rollout_path = ? WHERE recency_at_ms <= 4", str(path))
        assert len(Listing(EVERYTHING).page(reader, 4).threads) == 4


def move(place: Place, number: int, *, back: bool) -> Path:
    """Archive a thread, or take it out again, as Codex does, behind the database's back."""
    active = place.home / watermark(number)
    archived = place.home / watermark(number, root="archived_sessions")
    source, target = (archived, active) if back else (active, archived)
    target.parent.mkdir(parents=True, exist_ok=True)
    return source.rename(target)


@pytest.mark.parametrize("is_archived", [True, False])
def test_threads_that_were_moved_are_listed_where_they_are(
    place: Place, *, is_archived: bool
) -> None:
    """In their order, on every page, and the rest is as it was."""
    for number in range(1, 9):
        root = "archived_sessions" if number % 2 else "sessions"
        os.utime(place.thread(number, path=watermark(number, root=root)), (number, number))
    place.index()
    (place.home / "archived_sessions" / "notes.txt").touch()
    numbers = (2, 6) if is_archived else (3, 7)
    moved = [move(place, number, back=not is_archived) for number in numbers]
    listing = Listing(Selection(archived=is_archived))
    found = list(pages(place.database, listing, 2))
    rows = [row for page in found for row in page.threads]
    expected = (7, 6, 5, 3, 2, 1) if is_archived else (8, 7, 6, 4, 3, 2)
    assert [row["id"] for row in rows] == [thread_id(number) for number in expected]
    paths = {row["rollout_path"] for row in rows}
    assert paths >= set(map(str, moved))
    assert {row["archived"] for row in rows} == {int(is_archived)}
    assert {each for page in found for each in page.stale} == set(map(thread_id, numbers))


@pytest.mark.parametrize("is_archived", [True, False])
def test_what_only_looks_as_if_it_had_been_moved(place: Place, *, is_archived: bool) -> None:
    """A file in both places, one that is gone, one of no thread, and one that is compressed."""
    for number in (1, 2):
        place.thread(number)
    for number in (3, 4, 5):
        place.thread(number, path=watermark(number, root="archived_sessions"))
    place.index()
    archive = place.home / "archived_sessions"
    shutil.copy(place.home / watermark(1), archive)
    (archive / Path(watermark(3)).name).unlink()
    (archive / f"rollout-{os.fsdecode(bytes([0xFF]))}.jsonl").touch()
    compressed = place.home / watermark(4, root="archived_sessions", ending=".jsonl.zst")
    compressed.write_bytes(b"")
    (place.home / watermark(4, root="archived_sessions")).unlink()
    found = listed(place, Selection(archived=is_archived, sources=(), empty=True))
    assert ids(found) == [thread_id(number) for number in ((5, 4) if is_archived else (2, 1))]
    assert found.stale.keys() == {thread_id(3), thread_id(4)}


def test_another_threads_file_under_the_same_name(place: Place) -> None:
    file = place.thread(1)
    place.index()
    file.unlink()
    place.thread(2, path=watermark(1, root="archived_sessions"))
    page = listed(place, EVERYTHING)
    assert ids(page) == []
    assert page.stale == {thread_id(1): [watermark(1)]}


@pytest.mark.parametrize("is_archived", [True, False])
def test_threads_that_have_moved_out_of_a_root_that_is_gone(
    place: Place, *, is_archived: bool
) -> None:
    """With the last one in it, the folder went, too."""
    source = "sessions" if is_archived else "archived_sessions"
    for number in (1, 2):
        place.thread(number, path=watermark(number, root=source))
    place.index()
    moved = [move(place, number, back=not is_archived) for number in (1, 2)]
    shutil.rmtree(place.home / source)
    for archived in (True, False):
        found = listed(place, Selection(archived=archived))
        expected = [2, 1] if archived is is_archived else []
        assert ids(found) == [thread_id(number) for number in expected]
        assert {row["archived"] for row in found.threads} <= {int(is_archived)}
        assert {row["rollout_path"] for row in found.threads} <= set(map(str, moved))


def test_an_archive_that_is_away_tells_nothing(place: Place) -> None:
    place.thread(1, path=watermark(1, root="archived_sessions"))
    place.thread(2)
    place.index()
    (place.home / "archived_sessions").rename(place.home / "away")
    for archived, number in ((True, 1), (False, 2)):
        found = listed(place, Selection(archived=archived))
        assert (ids(found), found.stale) == ([thread_id(number)], {})
