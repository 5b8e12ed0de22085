"""Selections: each means what it says, and is found by walking an index."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rolloutd.sources import CLASSES, LABELS, class_of, label_of
from rolloutd.state.database import StateDatabase
from rolloutd.state.reader import StateReader
from rolloutd.state.selection import Key, Order, Selection, Sort, page_query
from tests.state.migrated import migrated
from tests.threads import insert_threads, thread

SOURCES = (
    "cli",
    "vscode",
    "exec",
    "mcp",
    "unknown",
    '{"custom":"my-app"}',
    '{"custom":"exec"}',
    '{"subagent":"review"}',
    '{"subagent":{"other":"x"}}',
    '{"internal":"memory_consolidation"}',
    '{"novel":1}',
)
CWDS = ("/", "/work", "/work/a", "/work/a/b", "/workshop", "/work-2", "", "relative")
TEXTS = ("", "Fix the Login", "100% sure_", "ÜNÏCÖDÉ", "fix", "line\nbreak")

rows = st.builds(
    thread,
    st.integers(min_value=1, max_value=10**6),
    at_ms=st.integers(min_value=-3, max_value=3),
    archived=st.booleans(),
    source=st.sampled_from(SOURCES),
    preview=st.sampled_from(TEXTS),
    title=st.sampled_from(TEXTS),
    first_user_message=st.sampled_from(TEXTS),
    name=st.sampled_from([None, *TEXTS]),
    model_provider=st.sampled_from(["openai", "mock"]),
    model=st.sampled_from([None, "gpt-5", "o4"]),
    cwd=st.sampled_from(CWDS),
    git_branch=st.sampled_from([None, "main", "Main"]),
)
selections = st.builds(
    Selection,
    archived=st.sampled_from([False, True, None]),
    sources=st.lists(st.sampled_from([*CLASSES, *LABELS, *SOURCES]), max_size=3, unique=True).map(
        tuple
    ),
    empty=st.booleans(),
    providers=st.lists(st.sampled_from(["openai", "mock", "x"]), max_size=2).map(tuple),
    models=st.lists(st.sampled_from(["gpt-5", "o4"]), max_size=2).map(tuple),
    cwd=st.sampled_from([None, None, "/", "/work", "/work/a", "/nowhere"]),
    branch=st.sampled_from([None, None, "main"]),
    text=st.sampled_from([None, None, "fix", "%", "_", "ünïcödé", "the login"]),
    since_ms=st.sampled_from([None, None, -1, 0]),
    until_ms=st.sampled_from([None, None, 1, 2]),
)


def is_meant(row: dict[str, Any], wanted: Selection, sort: Sort) -> bool:
    """What a selection says, in other words than SQL's."""
    at, cwd = row[sort.column], row["cwd"]
    names = {class_of(row["source"]), label_of(row["source"]), row["source"]}
    below = wanted.cwd is not None and cwd.startswith(wanted.cwd.rstrip("/") + "/")
    told = [row["title"], row["name"] or "", row["first_user_message"]]
    return (
        wanted.archived in (None, bool(row["archived"]))
        and (not wanted.sources or not names.isdisjoint(wanted.sources))
        and (wanted.empty or row["preview"] != "")
        and (not wanted.providers or row["model_provider"] in wanted.providers)
        and (not wanted.models or row["model"] in wanted.models)
        and (wanted.cwd is None or cwd == wanted.cwd or below)
        and wanted.branch in (None, row["git_branch"])
        and (wanted.text is None or any(wanted.text in text.casefold() for text in told))
        and (wanted.since_ms is None or at >= wanted.since_ms)
        and (wanted.until_ms is None or at < wanted.until_ms)
    )


@pytest.fixture(params=["made", "migrated"])
def path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A database with nothing in it but its tables."""
    path = tmp_path / "state.sqlite"
    if request.param == "migrated":
        migrated(path)
    with StateDatabase.open_writer(path):
        pass
    return path


@settings(max_examples=200)
@given(
    threads=st.lists(rows, max_size=12, unique_by=lambda row: row["id"]),
    wanted=selections,
    sort=st.sampled_from(Sort),
    order=st.sampled_from(Order),
    after=st.none() | st.builds(Key, st.integers(-3, 3), st.sampled_from(["", "0", "8", "g"])),
    limit=st.integers(min_value=1, max_value=15),
)
def test_a_selection_is_what_it_says_in_its_order(
    path: Path,
    *,
    threads: list[dict[str, Any]],
    wanted: Selection,
    sort: Sort,
    order: Order,
    after: Key | None,
    limit: int,
) -> None:
    insert_threads(path, threads, instead=True)
    backwards = order is Order.DESCENDING
    expected = sorted(
        (Key(row[sort.column], row["id"]) for row in threads if is_meant(row, wanted, sort)),
        reverse=backwards,
    )
    if after is not None:
        expected = [key for key in expected if (key < after if backwards else key > after)]
    with StateReader.open(path) as reader:
        query = page_query(wanted, sort, order, after, limit)
        found = [Key(row[sort.column], row["id"]) for row in reader.rows(*query)]
    assert found == expected[:limit]


def plan(reader: StateReader, *query: Any) -> str:
    """How SQLite goes about it."""
    text, values = query
    return "\n".join(row["detail"] for row in reader.rows(f"EXPLAIN QUERY PLAN {text}", values))


def lists_that_are_asked_for() -> Iterator[tuple[Selection, Sort, Order]]:
    """Those of the defaults, and what a person would most often add to them."""
    for archived, sort, order in product((False, True, None), Sort, Order):
        for sources, empty in ((("user",), False), ((), True), (("exec", "mcp"), True)):
            yield Selection(archived=archived, sources=sources, empty=empty), sort, order
        yield Selection(archived=archived, since_ms=1, until_ms=2), sort, order
        yield Selection(archived=archived, text="x", models=("gpt-5",)), sort, order


@pytest.mark.parametrize("after", [None, Key(5, "a")])
def test_every_list_walks_one_index_in_its_order(path: Path, after: Key | None) -> None:
    with StateReader.open(path) as reader:
        for wanted, sort, order in lists_that_are_asked_for():
            how = plan(reader, *page_query(wanted, sort, order, after, 26))
            assert "TEMP B-TREE" not in how, (wanted, sort, order)
            walks = re.findall(r"(?:SEARCH|SCAN) .*", how)
            assert walks, how
            index = f"SEARCH threads USING INDEX idx_threads_archived_{sort.column} (archived=?"
            assert all(walk.startswith(index) for walk in walks), how
            if after is not None or wanted.since_ms is not None:
                assert all(f"{sort.column}" in walk.partition("(archived=?")[2] for walk in walks)


def test_threads_that_may_have_moved_are_found_by_their_ids(path: Path) -> None:
    """Whatever else there is in the other state."""
    with StateReader.open(path) as reader:
        for archived, sort in product((False, True), Sort):
            query = page_query(
                Selection(archived=archived), sort, Order.DESCENDING, None, 26, moved=["a"]
            )
            walks = re.findall(r"(?:SEARCH|SCAN) threads .*", plan(reader, *query))
            [_, others] = walks
            assert others == "SEARCH threads USING INDEX sqlite_autoindex_threads_1 (id=?)"


def test_a_list_of_one_directory_is_not_sorted_either(path: Path) -> None:
    with StateReader.open(path) as reader:
        for sort, order in product(Sort, Order):
            wanted = Selection(cwd="/work")
            assert "TEMP B-TREE" not in plan(reader, *page_query(wanted, sort, order, None, 26))
