"""Without a database: the files give the same answers as a database that is true."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rolloutd.batches import Batches
from rolloutd.errors import HomeUnavailable
from rolloutd.listing import Listing
from rolloutd.progress import QuietObserver
from rolloutd.rollout.pool import ReaderPool
from rolloutd.scratch import read_from_files
from rolloutd.state.reader import StateReader
from rolloutd.state.selection import Order, Selection, Sort
from tests.oracle.cases_build import Json, meta, named, tokens, turn, user
from tests.running import Place, never, rows, thread_id, watermark

TABLES = ("threads", "thread_dynamic_tools", "thread_spawn_edges", "session_names", "home")


@contextmanager
def from_files(place: Place, paths: Sequence[str] | None = None) -> Iterator[StateReader]:
    with ExitStack() as stack:
        pool = stack.enter_context(ReaderPool(str(place.home), 1))
        observer = QuietObserver()
        batches = Batches(pool, observer, 3, never)
        yield stack.enter_context(read_from_files(place.home, "openai", batches, observer, paths))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Threads of all kinds, indexed."""
    place = Place.make(tmp_path_factory.mktemp("varied"))
    parent = thread_id(1)
    spawn: Json = {
        "thread_spawn": {"parent_thread_id": parent, "depth": 1, "agent_nickname": "Tesla"}
    }
    metas = (
        meta(source="cli", cwd="/work/a"),
        meta(source="vscode", cwd="/work/b", model_provider=...),
        meta(source="exec", cwd="/work"),
        meta(source={"subagent": spawn}),
        meta(source={"custom": "my-app"}, git={"branch": "main"}),
        meta(
            source={"internal": "memory_consolidation"},
            dynamic_tools=[{"name": "t", "description": "d", "inputSchema": {"type": "object"}}],
        ),
    )
    for number in range(24):
        lines = [metas[number % len(metas)]]
        if number % 7:
            lines += [turn(model=f"model-{number % 3}"), user(f"Ask Ünï {number % 5}")]
        if number % 3 == 0:
            lines += [tokens(number * 100), named(f"name {number}")]
        root = "archived_sessions" if number % 4 == 3 else "sessions"
        path = watermark(number, root=root)
        if number % 9 == 8:  # a further file of the thread before it
            path = path.replace(".jsonl", f"_{thread_id(99)}.jsonl")
        file = place.thread(number - (number % 9 == 8), *lines, path=path)
        os.utime(file, (1_700_000_000 + number // 3, 1_700_000_000 + number // 3))
    (place.home / "sessions" / "rollout-broken.jsonl").write_bytes(b"garbage\n")
    (place.home / "session_index.jsonl").write_text(
        f'{{"id":"{thread_id(2)}","thread_name":"given"}}\n'
    )
    place.index()
    return place


def test_every_row_is_that_of_a_backfill(varied: Place) -> None:
    columns = [name for _, name, *_ in rows(varied.database, "PRAGMA table_info(rollouts)")]
    told = ", ".join(name for name in columns if name != "indexed_at_ms")
    queries = [f"SELECT * FROM {table}" for table in TABLES]
    queries.append(f"SELECT {told} FROM rollouts")
    with from_files(varied) as reader:
        for query in queries:
            expected = rows(varied.database, query)
            assert sorted(map(tuple, reader.rows(query)), key=repr) == sorted(expected, key=repr)
            assert expected


@settings(max_examples=25)
@given(
    wanted=st.builds(
        Selection,
        archived=st.sampled_from([False, True, None]),
        sources=st.sampled_from([(), ("user",), ("exec", "subagent"), ("custom",)]),
        empty=st.booleans(),
        cwd=st.sampled_from([None, None, "/work"]),
        text=st.sampled_from([None, None, "ünï 3"]),
    ),
    sort=st.sampled_from(Sort),
    order=st.sampled_from(Order),
    limit=st.integers(min_value=1, max_value=9),
)
def test_the_same_list_in_pages_of_the_same_cursors(
    varied: Place, *, wanted: Selection, sort: Sort, order: Order, limit: int
) -> None:
    """Each of the two goes on where the other one ended."""
    listing = Listing(wanted, sort, order)
    cursor = None
    with StateReader.open(varied.database) as database, from_files(varied) as files:
        while True:
            one, other = (listing.page(reader, limit, cursor) for reader in (database, files))
            assert one == other
            cursor = one.next_cursor
            if cursor is None:
                return


def test_of_some_files_only(varied: Place) -> None:
    with from_files(varied, [watermark(1), "sessions/nothing.jsonl"]) as reader:
        assert [row["id"] for row in reader.rows("SELECT id FROM threads")] == [thread_id(1)]


def test_nothing_is_left_behind(varied: Place, tmp_path: Path) -> None:
    before = sorted(varied.root.rglob("*"))
    with from_files(varied) as reader:
        assert reader.value("SELECT count(*) FROM threads") > 0
        assert sorted(varied.root.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


def test_no_home(place: Place) -> None:
    (place.home / "sessions").rmdir()
    with pytest.raises(HomeUnavailable, match="there is no sessions/ in it"), from_files(place):
        pass
    place.home.rmdir()
    with pytest.raises(HomeUnavailable, match="no such Codex home"), from_files(place):
        pass


def test_a_session_index_that_cannot_be_read(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    place.thread(1)
    (place.home / "session_index.jsonl").symlink_to("session_index.jsonl")
    with from_files(place) as reader:
        assert reader.value("SELECT name FROM threads") is None
    assert "the session index cannot be read" in caplog.text
