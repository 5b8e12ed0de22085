"""Lists and lookups on homes that real releases wrote, beside Codex's own list of its threads."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future
from itertools import chain, groupby, product
from pathlib import Path

import pytest

from rolloutd.listing import Listing
from rolloutd.lookup import Lookup
from rolloutd.state.reader import StateReader
from rolloutd.state.selection import Order, Selection, Sort
from tests.running import index

from .app_server import AppServer, app_server, clean_environment
from .codex_index import copy_home
from .compare import NEW
from .conftest import COMPRESSED, HOMES
from .naming import set_mtimes
from .releases import release

Homes = dict[str, Future[Path]]

SOURCES = {"cli": ("cli", "vscode"), "exec": ("exec",), "subAgent": ("subagent",)}
"""What Codex calls some sources, and what we do."""


def indexed(home: str, homes: Homes, scratch: Path) -> tuple[Path, Path]:
    """A copy of a home, all of whose files have times of their own, and its database."""
    copy = copy_home(homes[home].result(), scratch / "home")
    set_mtimes(copy)
    database = scratch / "state.sqlite"
    index(copy, database, provider="mock")
    return copy, database


def ours(reader: StateReader, selection: Selection, sort: Sort, order: Order) -> list[str]:
    return [row["id"] for row in Listing(selection, sort, order).page(reader, 1000).threads]


def codex_list(
    server: AppServer, selection: Selection, sort: Sort, order: Order, kind: str
) -> list[str]:
    answer = server.request(
        "thread/list",
        limit=100,
        sortKey=f"{sort}_at",
        sortDirection=order.value,
        archived=selection.archived,
        sourceKinds=[kind, "vscode"] if kind == "cli" else [kind],
        modelProviders=[],
        searchTerm=selection.text,
    )
    return [str(thread["id"]) for thread in answer["data"]]


def sorted_within(ids: list[str], seconds: dict[str, int]) -> list[str]:
    """Those that follow one another within one second, by id."""
    runs = (sorted(run) for _, run in groupby(ids, seconds.__getitem__))
    return list(chain.from_iterable(runs))


@pytest.mark.parametrize("home", ["0.36.0", "0.130.0", NEW, COMPRESSED])
def test_a_list_is_codexs_own(home: str, homes: Homes, tmp_path: Path) -> None:
    """But that Codex lists each file of a thread in several files.

    And that, by when they were made, it sorts by the seconds in the files' names: what was made
    within one second, it lists by id.
    """
    copy, database = indexed(home, homes, tmp_path)
    environment = clean_environment(copy, MOCK_API_KEY="unused")
    compared = 0
    with StateReader.open(database) as reader, app_server(release(NEW), environment) as server:
        made = {row["id"]: row["created_at"] for row in reader.rows("SELECT * FROM threads")}
        for archived, sort, order, kind, text in product(
            (False, True), (Sort.CREATED, Sort.UPDATED), Order, SOURCES, (None, "words")
        ):
            selection = Selection(archived=archived, sources=SOURCES[kind], text=text)
            theirs = codex_list(server, selection, sort, order, kind)
            repeated = {each for each, times in Counter(theirs).items() if times > 1}
            found = ours(reader, selection, sort, order)
            assert repeated <= set(found)
            lists = [[each for each in ids if each not in repeated] for ids in (found, theirs)]
            if sort is Sort.CREATED:
                lists = [sorted_within(ids, made) for ids in lists]
            assert lists[0] == lists[1], (selection, sort, order)
            compared += len(theirs)
    assert compared > 10


@pytest.mark.parametrize("home", HOMES)
def test_every_thread_is_found_and_verified(home: str, homes: Homes, tmp_path: Path) -> None:
    copy, database = indexed(home, homes, tmp_path)
    with StateReader.open(database) as reader:
        threads = reader.rows("SELECT id, rollout_path, archived FROM threads")
        assert len(threads) > 3
        for has_database, row in product((True, False), threads):
            told: list[str] = []
            lookup = Lookup(copy, reader if has_database else None, warn=told.append)
            found = lookup.by_id(row["id"])
            assert (found.path, found.archived) == (row["rollout_path"], bool(row["archived"]))
            assert (found.problem, told) == (None, [])
            assert not has_database or lookup.stale == {}
