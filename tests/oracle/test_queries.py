"""Queries that were written for Codex's own state database, asked of it and of ours.

Both are of one home, that 0.130.0 wrote; what differs must stand in the table of differences.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.running import index

from .codex_index import copy_home, index_with_codex
from .compare import OLD, rows_of_codex
from .differences import DIFFERENCES
from .naming import names_of, set_mtimes
from .releases import release

_LISTED = (
    "id, rollout_path, created_at, updated_at, source, model_provider, cwd, cli_version, title,"
    " sandbox_policy, approval_mode, tokens_used, first_user_message, archived_at, git_sha,"
    " git_branch, git_origin_url, agent_nickname, agent_role, agent_path, memory_mode, model,"
    " reasoning_effort, thread_source"
)
_SHOWN = "FROM threads WHERE archived = :archived AND first_user_message <> ''"
_FAMILY = """
    WITH RECURSIVE family (id, depth) AS (
        SELECT child_thread_id, 1 FROM thread_spawn_edges WHERE parent_thread_id = :parent
        UNION ALL
        SELECT edge.child_thread_id, family.depth + 1
        FROM thread_spawn_edges AS edge JOIN family ON edge.parent_thread_id = family.id)
    SELECT id, depth FROM family ORDER BY depth, id"""

# By what they are for.
QUERIES = {
    "list, by creation": f"SELECT {_LISTED} {_SHOWN} ORDER BY created_at DESC, id DESC LIMIT 25",
    "list, by update": f"SELECT {_LISTED} {_SHOWN} ORDER BY updated_at_ms DESC, id DESC LIMIT 25",
    "list, the next page": f"SELECT {_LISTED} {_SHOWN} AND (created_at_ms < :created_at_ms"
    " OR (created_at_ms = :created_at_ms AND id < :id))"
    " ORDER BY created_at_ms DESC, id DESC LIMIT 3",
    "list, by source and provider": f"SELECT {_LISTED} {_SHOWN} AND source IN (:source, 'cli')"
    " AND model_provider IN (:model_provider) ORDER BY created_at DESC, id DESC",
    "list, of a directory": f"SELECT id, title {_SHOWN} AND cwd = :cwd"
    " ORDER BY updated_at_ms DESC, id DESC",
    "list, with a text": f"SELECT id, title {_SHOWN} AND instr(title, :text) > 0 ORDER BY id",
    "lookup by id": f"SELECT {_LISTED}, has_user_event, archived FROM threads WHERE id = :id",
    "path of an id": "SELECT rollout_path FROM threads WHERE id = :id AND archived = :archived",
    "lookup by title": "SELECT id FROM threads WHERE title = :title AND archived = :archived"
    " ORDER BY updated_at_ms DESC, id DESC LIMIT 1",
    "children": "SELECT child_thread_id FROM thread_spawn_edges"
    " WHERE parent_thread_id = :parent AND status = 'open' ORDER BY child_thread_id",
    "descendants": _FAMILY,
    "parent": "SELECT parent_thread_id, status FROM thread_spawn_edges WHERE child_thread_id = :id",
    "agents": "SELECT threads.id, agent_nickname, agent_role FROM thread_spawn_edges AS edge"
    " JOIN threads ON threads.id = edge.child_thread_id"
    " WHERE edge.parent_thread_id = :parent ORDER BY threads.id",
    "dynamic tools": "SELECT name, description, input_schema, defer_loading, namespace"
    " FROM thread_dynamic_tools WHERE thread_id = :id ORDER BY position",
    "memory": "SELECT id, memory_mode FROM threads WHERE memory_mode <> 'enabled' ORDER BY id",
    "counts": "SELECT source, archived, count(*), sum(tokens_used) FROM threads"
    " GROUP BY source, archived ORDER BY source, archived",
    "how far the backfill is": "SELECT status, last_watermark FROM backfill_state WHERE id = 1",
}


@dataclass(frozen=True)
class Both:
    """Codex's database and ours; threads as Codex has them, and what the table calls them."""

    codex: sqlite3.Connection
    ours: sqlite3.Connection
    threads: list[dict[str, Any]]
    names: Mapping[str, str]

    def ask(self, query: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What Codex's database answers; ours must answer the same, but for listed differences."""
        wanted, rows = (
            [dict(row) for row in connection.execute(query, values)]
            for connection in (self.codex, self.ours)
        )
        assert len(rows) == len(wanted), values
        for row, right in zip(rows, wanted, strict=True):
            # One thread's row may leave its id out.
            id_ = right.get("id", values["id"])
            for column, value in right.items():
                if row[column] != value:
                    self._excuse(id_, column, row, value)
        return rows

    def _excuse(self, id_: str, column: str, row: dict[str, Any], wanted: Any) -> None:
        name = self.names[id_]
        entry = next((each for each in DIFFERENCES if each.matches(name, column)), None)
        assert entry is not None, f"{name}: {column}: {wanted!r}, ours has {row[column]!r}"
        full = next(dict(each) for each in self.ours.execute(_WHOLE, (id_,)))
        assert entry.value_for(full, wanted) == row[column], (name, column)


_WHOLE = "SELECT * FROM threads WHERE id = ?"


@pytest.fixture(scope="module")
def both(
    homes: dict[str, Future[Path]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    scratch = tmp_path_factory.mktemp("queries")
    home = copy_home(homes[OLD].result(), scratch / "home").resolve()
    set_mtimes(home)
    database = index_with_codex(release(OLD), home)
    index(home, scratch / "state.sqlite", provider="mock")
    [theirs] = home.glob("state_*.sqlite")
    with _opened(theirs) as codex, _opened(scratch / "state.sqlite") as ours:
        yield Both(codex, ours, database.threads, names_of(OLD, rows_of_codex(database)))


def _opened(path: Path) -> closing[sqlite3.Connection]:
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return closing(connection)


def values_of(thread: Mapping[str, Any]) -> dict[str, Any]:
    """What a query may ask of a thread; the parent is itself, so that some have children."""
    return {**thread, "parent": thread["id"], "text": thread["title"][2:9]}


@pytest.mark.usefixtures("judges")
@pytest.mark.parametrize("purpose", QUERIES)
def test_a_query_for_codex_is_answered_alike(both: Both, purpose: str) -> None:
    answers = [both.ask(QUERIES[purpose], values_of(thread)) for thread in both.threads]
    assert len(answers) > 8
    assert any(answers), "no answer has a row in it: nothing was compared"


@pytest.mark.usefixtures("judges")
def test_the_home_has_what_the_queries_are_about(both: Both) -> None:
    assert {thread["archived"] for thread in both.threads} == {0, 1}
    assert len({thread["cwd"] for thread in both.threads}) > 1
    assert len({thread["source"] for thread in both.threads}) > 2
