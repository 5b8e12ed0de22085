"""Finding one thread: what Codex's own lookup does, and what ours does beyond that."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rolloutd.errors import BadUsage, HomeUnavailable
from rolloutd.lookup import AmbiguousThread, Found, Lookup, NoSuchThread, beginning_of_id
from rolloutd.state.reader import StateReader
from tests.oracle.cases_build import meta, named, turn, user
from tests.rollouts import without_privileges
from tests.running import Place, change, thread_id, watermark
from tests.running import write as write_rollout


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


class Asked:
    """A lookup, and what it told."""

    def __init__(self, place: Place, reader: StateReader | None) -> None:
        self.told: list[str] = []
        self.lookup = Lookup(place.home, reader, warn=self.told.append)

    def find(self, text: str | int, **options: Any) -> Found:
        """The thread of that number, or what the text means."""
        return self.lookup.find(thread_id(text) if isinstance(text, int) else text, **options)


@contextmanager
def asked(place: Place) -> Iterator[Asked]:
    """With the database that is there now."""
    with StateReader.open(place.database) as reader:
        yield Asked(place, reader)


def point(place: Place, number: int, path: Path | str) -> None:
    """Make the row of a thread point elsewhere."""
    statement = "UPDATE threads SET rollout_path = ? WHERE id = ?"
    change(place.database, statement, str(path), thread_id(number))


def test_an_id_prefers_the_database_when_it_is_right(place: Place) -> None:
    file = place.thread(1)
    place.index()
    # A search would find this one as well, and take it for the thread's last.
    write_rollout(place.home, "sessions/rollout-z.jsonl", number=1)
    with asked(place) as it:
        assert it.find(1) == Found(thread_id(1), str(file), archived=False)
        assert (it.told, it.lookup.stale) == ([], {})


def test_any_spelling_of_an_id(place: Place) -> None:
    file = place.thread(0xABCDEF)
    place.index()
    plain = thread_id(0xABCDEF)
    with asked(place) as it:
        for text in (plain.upper(), plain.replace("-", ""), f"{{{plain}}}", f"urn:uuid:{plain}"):
            assert it.find(text).path == str(file)


def test_a_path_without_a_canonical_name_is_accepted(place: Place) -> None:
    """Also one that no walk would come by: the record says whose it is."""
    file = place.thread(1)
    place.index()
    custom = file.rename(file.with_name("custom-rollout-name.jsonl"))
    point(place, 1, custom)
    with asked(place) as it:
        assert it.find(1) == Found(thread_id(1), str(custom), archived=False)
        assert it.lookup.stale == {}


def test_an_existing_path_that_says_nothing_is_unverified(place: Place) -> None:
    file = place.thread(1)
    place.index()
    custom = file.rename(file.with_name("custom-rollout-name.jsonl"))
    custom.write_bytes(b"")
    point(place, 1, custom)
    with asked(place) as it:
        found = it.find(1)
        assert (found.path, found.problem) == (str(custom), "empty")
        assert it.lookup.stale == {}


def test_a_row_that_points_at_nothing_falls_back_to_the_files(place: Place) -> None:
    file = place.thread(1)
    place.index()
    nothing = place.home / "sessions/2099/01/01" / file.name
    point(place, 1, nothing)
    with asked(place) as it:
        assert it.find(1) == Found(thread_id(1), str(file), archived=False, paths=(watermark(1),))
        assert it.told == [f"the row of {thread_id(1)} points at nothing: {nothing}"]
        gone = str(nothing.relative_to(place.home))
        assert it.lookup.stale == {thread_id(1): [gone, watermark(1)]}


def test_a_row_that_points_at_another_threads_file_falls_back(place: Place) -> None:
    file, other = place.thread(1), place.thread(2)
    place.index()
    point(place, 1, other)
    with asked(place) as it:
        assert it.find(1).path == str(file)
        [told] = it.told
        assert told == f"the row of {thread_id(1)} points at the file of {thread_id(2)}: {other}"
        assert it.find(2).path == str(other)


def test_a_missing_row_is_found_in_the_files(place: Place) -> None:
    place.index()
    file = place.thread(1)
    with asked(place) as it:
        assert it.find(1).path == str(file)
        assert it.lookup.stale == {thread_id(1): [watermark(1)]}


def test_the_files_are_searched_by_their_record(place: Place) -> None:
    """Names are not trusted: of these two, each is called as the other one."""
    place.index()
    one = write_rollout(place.home, watermark(2), number=1)
    two = write_rollout(place.home, watermark(1), number=2)
    with asked(place) as it:
        assert it.find(1).path == str(one)
        assert it.find(2).path == str(two)


def test_rows_that_were_swapped_are_not_trusted_either(place: Place) -> None:
    """Neither in `threads` nor in `rollouts`."""
    one, two = place.thread(1), place.thread(2)
    place.index()
    point(place, 1, two)
    point(place, 2, one)
    change(place.database, "UPDATE rollouts SET thread_id = ?", thread_id(2))
    with asked(place) as it:
        assert it.find(1).path == str(one)
        assert it.find(2).path == str(two)


def test_the_last_of_several_files(place: Place) -> None:
    segment = watermark(1).replace(".jsonl", f"_{thread_id(9)}.jsonl")
    place.index()
    place.thread(1)
    last = place.thread(1, path=segment)
    with asked(place) as it:
        found = it.find(1)
        assert found.path == str(last)
        assert found.paths == tuple(sorted((watermark(1), segment)))
    place.index()
    with asked(place) as it:
        assert it.find(1) == Found(thread_id(1), str(last), archived=False)


@pytest.mark.parametrize("has_database", [True, False])
def test_archived_and_active_are_told_apart(place: Place, *, has_database: bool) -> None:
    file = place.thread(1, path=watermark(1, root="archived_sessions"))
    place.index()
    with StateReader.open(place.database) as reader:
        it = Asked(place, reader if has_database else None)
        assert it.find(1).archived
        assert it.find(1, archived=True).path == str(file)
        with pytest.raises(NoSuchThread, match=rf"{thread_id(1)} is archived: {file}"):
            it.find(1, archived=False)
    place.thread(2)
    with pytest.raises(NoSuchThread, match="is active"):
        Asked(place, None).find(2, archived=True)


def test_a_file_that_was_archived_meanwhile_is_found_there(place: Place) -> None:
    file = place.thread(1)
    place.index()
    (place.home / "archived_sessions").mkdir()
    moved = file.rename(place.home / "archived_sessions" / file.name)
    with asked(place) as it:
        found = it.find(1)
        assert (found.path, found.archived) == (str(moved), True)
        assert it.lookup.stale


def test_a_file_that_must_not_be_read_is_unverified(place: Place) -> None:
    file = place.thread(1)
    place.index()
    file.chmod(0)
    code = """
import sys
from pathlib import Path
from rolloutd.lookup import Lookup
from rolloutd.state.reader import StateReader
home, database, thread = sys.argv[1:]
with StateReader.open(Path(database)) as reader:
    lookup = Lookup(Path(home), reader, warn=print)
    found = lookup.find(thread)
    print(found.path, found.problem, lookup.stale)
"""
    told = without_privileges(code, str(place.home), str(place.database), thread_id(1))
    assert told == f"{file} Permission denied {{}}\n"


def test_a_root_that_is_away_takes_no_thread_with_it(place: Place) -> None:
    file = place.thread(1)
    place.index()
    (place.home / "sessions").rename(place.home / "away")
    with asked(place) as it:
        found = it.find(1)
        assert (found.path, found.problem) == (
            str(file),
            f"{place.home / 'sessions'} is not there now",
        )
        assert it.lookup.stale == {}


def test_a_thread_that_is_gone(place: Place) -> None:
    place.thread(1).rename(place.home / "aside")
    place.thread(2)
    place.index()
    (place.home / watermark(2)).unlink()
    with asked(place) as it:
        with pytest.raises(NoSuchThread, match=f"no thread has the id {thread_id(1)}"):
            it.find(1)
        assert it.lookup.stale == {}
        with pytest.raises(NoSuchThread):
            it.find(2)
        assert it.lookup.stale == {thread_id(2): [watermark(2)]}


def test_the_beginning_of_an_id(place: Place) -> None:
    """In either spelling, as long as it tells which one is meant."""
    for number in (0x1000, 0x1001, 0x2000):
        place.thread(number)
    place.index()
    with asked(place) as it:
        begin = thread_id(0x2000)[:-3]
        for text in (begin, begin.upper(), begin.replace("-", "")):
            assert it.find(text).id == thread_id(0x2000)
        with pytest.raises(AmbiguousThread, match="may be any of several") as caught:
            it.find(thread_id(0x1000)[:-1])
        assert [each.id for each in caught.value.places] == [thread_id(0x1000), thread_id(0x1001)]
        assert not caught.value.more
        with pytest.raises(NoSuchThread, match="no thread has the id, or is named, 'ffff'"):
            it.find("ffff")


def test_the_beginning_of_the_id_of_an_unindexed_thread(place: Place) -> None:
    place.index()
    file = place.thread(0x1000)
    with asked(place) as it:
        assert it.find(thread_id(0x1000)[:-2]).path == str(file)
        place.thread(0x1001)
        with pytest.raises(AmbiguousThread) as caught:
            it.find(thread_id(0x1000)[:-2])
        assert caught.value.ids == [thread_id(0x1000), thread_id(0x1001)]


def test_of_many_candidates_the_first_are_named(place: Place) -> None:
    for number in range(20):
        place.thread(number)
    place.index()
    with asked(place) as it, pytest.raises(AmbiguousThread) as caught:
        it.find("0000")
    assert [each.id for each in caught.value.places] == [thread_id(each) for each in range(10)]
    assert caught.value.more


def test_an_exact_title_finds_the_newest(place: Place) -> None:
    for number, title in ((1, "fix"), (2, "fix"), (3, "fix it"), (4, "Fix")):
        file = place.thread(number, meta(), user(title))
        os.utime(file, (number, number) if number != 1 else (50, 50))
    place.index()
    with asked(place) as it:
        assert it.find("fix").id == thread_id(1)
        assert it.find("Fix").id == thread_id(4)
        with pytest.raises(NoSuchThread):
            it.find("fi")


def test_a_name_comes_before_a_title(place: Place) -> None:
    os.utime(place.thread(1, meta(), user("hello"), named("login")), (5, 5))
    os.utime(place.thread(2, meta(), user("login")), (9, 9))
    (place.home / "session_index.jsonl").write_text(
        f'{{"id":"{thread_id(3)}","thread_name":"given"}}\n'
    )
    place.thread(3)
    place.index()
    with asked(place) as it:
        assert it.find("login").id == thread_id(1)
        assert it.find("given").id == thread_id(3)


def test_of_one_name_the_newest_that_is_there(place: Place) -> None:
    for number in (1, 2):
        os.utime(place.thread(number, meta(), user("fix")), (number, number))
    place.index()
    (place.home / watermark(2)).unlink()
    with asked(place) as it:
        assert it.find("fix").id == thread_id(1)
        assert list(it.lookup.stale) == [thread_id(2)]


def test_a_name_among_archived_ones(place: Place) -> None:
    os.utime(place.thread(1, meta(), user("fix")), (9, 9))
    old = place.thread(2, meta(), user("fix"), path=watermark(2, root="archived_sessions"))
    os.utime(old, (5, 5))
    place.index()
    with asked(place) as it:
        assert it.find("fix").id == thread_id(1)
        assert it.find("fix", archived=True).id == thread_id(2)


def test_a_name_that_may_also_be_the_beginning_of_an_id(place: Place) -> None:
    """Neither is taken for the other one."""
    place.thread(1, meta(), user("0000"))
    place.index()
    with asked(place) as it:
        assert it.find("0000").id == thread_id(1)
    place.thread(2)
    place.index()
    with asked(place) as it, pytest.raises(AmbiguousThread):
        it.find("0000")


def test_without_a_database(place: Place) -> None:
    file = place.thread(1, meta(), turn(), user("hello"))
    it = Asked(place, None)
    assert it.find(1).path == str(file)
    assert it.find(thread_id(1)[:-1]).path == str(file)
    with pytest.raises(NoSuchThread):
        it.find(2)
    assert it.told == []


def test_without_anything(place: Place) -> None:
    (place.home / "sessions").rmdir()
    with pytest.raises(HomeUnavailable, match=r"neither sessions/ nor archived_sessions/"):
        Asked(place, None).find(1)


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("0199", "0199"),
        ("019", None),
        ("", None),
        ("0199A213", "0199a213"),
        ("0199a213-", "0199a213"),
        ("0199a213-81c0", "0199a213-81c0"),
        ("0199a21381c0", "0199a213-81c0"),
        ("0199-a213", None),
        ("face-feed", None),
        ("--", None),
        ("xyzw", None),
        ("\uff10\uff11\uff12\uff13", None),
        ("0199a213-81c0-7800-8aa1-bbab2a035a53", "0199a213-81c0-7800-8aa1-bbab2a035a53"),
        ("0199a213-81c0-7800-8aa1-bbab2a035a531", None),
    ],
)
def test_what_may_be_the_beginning_of_an_id(text: str, beginning: str | None) -> None:
    assert beginning_of_id(text) == beginning


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_nothing_is_no_thread(place: Place, text: str) -> None:
    place.thread(1, meta(), turn())
    place.index()
    with asked(place) as it, pytest.raises(BadUsage, match="allowed is an id"):
        it.find(text)
    with pytest.raises(BadUsage):
        Asked(place, None).find(text)


def test_what_is_gone_makes_no_beginning_ambiguous(place: Place) -> None:
    for number in (0x1000, 0x1001):
        place.thread(number)
    place.index()
    (place.home / watermark(0x1001)).unlink()
    with asked(place) as it:
        assert it.find(thread_id(0x1000)[:-1]).id == thread_id(0x1000)
        assert it.told == [
            f"the row of {thread_id(0x1001)} points at nothing: {place.home / watermark(0x1001)}"
        ]
        assert it.lookup.stale == {thread_id(0x1001): [watermark(0x1001)]}


def test_what_is_gone_makes_no_name_ambiguous(place: Place) -> None:
    place.thread(1, meta(), user("0000"))
    gone = place.thread(2)
    place.index()
    gone.unlink()
    with asked(place) as it:
        assert it.find("0000").id == thread_id(1)
        assert list(it.lookup.stale) == [thread_id(2)]


def test_of_a_beginning_those_that_are_so_by_their_files(place: Place) -> None:
    """Not by their rows: one was archived meanwhile."""
    for number in (0x1000, 0x1001):
        place.thread(number, meta(), user("fix"))
    place.index()
    (place.home / "archived_sessions").mkdir()
    file = place.home / watermark(0x1001)
    moved = file.rename(place.home / "archived_sessions" / file.name)
    for text in (thread_id(0x1000)[:-1], "fix"):
        with asked(place) as it:
            assert it.find(text, archived=True).path == str(moved)
            assert list(it.lookup.stale) == [thread_id(0x1001)]
        with asked(place) as it:
            assert it.find(text, archived=False).id == thread_id(0x1000)


def test_a_path_below_no_root_is_no_root_that_is_away(place: Place) -> None:
    file = place.thread(1)
    place.index()
    point(place, 1, place.home / "history.jsonl")
    with asked(place) as it:
        assert it.find(1).path == str(file)
        assert it.lookup.stale == {thread_id(1): ["history.jsonl", watermark(1)]}


def test_without_a_database_what_must_not_be_read_is_unverified(place: Place) -> None:
    file = place.thread(1)
    file.chmod(0)
    code = """
import sys
from pathlib import Path
from rolloutd.lookup import Lookup
home, *texts = sys.argv[1:]
for text in texts:
    lookup = Lookup(Path(home), None, warn=print)
    found = lookup.find(text)
    print(found.path, found.problem, lookup.stale)
"""
    told = without_privileges(code, str(place.home), thread_id(1), thread_id(1)[:-2])
    assert told == f"{file} Permission denied {{}}\n" * 2
