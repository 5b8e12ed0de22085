"""Revisions, and what the tables have in common with those of Codex 0.130.0."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event

from rolloutd.errors import DatabaseUnavailable
from rolloutd.sources import class_of
from rolloutd.state.database import StateDatabase
from rolloutd.state.faults import DatabaseBusy
from rolloutd.state.revision import HEAD, THREAD_COLUMNS
from rolloutd.state.schema import TABLES, THREADS
from tests.running import change, rows
from tests.state.migrated import config, migrated

# Codex 0.130.0's own: (name, type, NOT NULL, default), and whether it is part of the key.
CODEX_COLUMNS = {
    "threads": """
        id TEXT key
        rollout_path TEXT NOT NULL
        created_at INTEGER NOT NULL
        updated_at INTEGER NOT NULL
        source TEXT NOT NULL
        model_provider TEXT NOT NULL
        cwd TEXT NOT NULL
        title TEXT NOT NULL
        sandbox_policy TEXT NOT NULL
        approval_mode TEXT NOT NULL
        tokens_used INTEGER NOT NULL DEFAULT 0
        has_user_event INTEGER NOT NULL DEFAULT 0
        archived INTEGER NOT NULL DEFAULT 0
        archived_at INTEGER
        git_sha TEXT
        git_branch TEXT
        git_origin_url TEXT
        cli_version TEXT NOT NULL DEFAULT ''
        first_user_message TEXT NOT NULL DEFAULT ''
        agent_nickname TEXT
        agent_role TEXT
        memory_mode TEXT NOT NULL DEFAULT 'enabled'
        model TEXT
        reasoning_effort TEXT
        agent_path TEXT
        created_at_ms INTEGER
        updated_at_ms INTEGER
        thread_source TEXT
    """,
    "thread_dynamic_tools": """
        thread_id TEXT NOT NULL key
        position INTEGER NOT NULL key
        name TEXT NOT NULL
        description TEXT NOT NULL
        input_schema TEXT NOT NULL
        defer_loading INTEGER NOT NULL DEFAULT 0
        namespace TEXT
    """,
    "thread_spawn_edges": """
        parent_thread_id TEXT NOT NULL
        child_thread_id TEXT NOT NULL key
        status TEXT NOT NULL
    """,
    "backfill_state": """
        id INTEGER key
        status TEXT NOT NULL
        last_watermark TEXT
        last_success_at INTEGER
        updated_at INTEGER NOT NULL
    """,
}
CODEX_INDEXES = {
    "idx_threads_created_at": "threads(created_at DESC, id DESC)",
    "idx_threads_updated_at": "threads(updated_at DESC, id DESC)",
    "idx_threads_archived": "threads(archived)",
    "idx_threads_source": "threads(source)",
    "idx_threads_provider": "threads(model_provider)",
    "idx_threads_created_at_ms": "threads(created_at_ms DESC, id DESC)",
    "idx_threads_updated_at_ms": "threads(updated_at_ms DESC, id DESC)",
    "idx_threads_archived_cwd_created_at_ms": "threads(archived, cwd, created_at_ms DESC, id DESC)",
    "idx_threads_archived_cwd_updated_at_ms": "threads(archived, cwd, updated_at_ms DESC, id DESC)",
    "idx_thread_dynamic_tools_thread": "thread_dynamic_tools(thread_id)",
    "idx_thread_spawn_edges_parent_status": "thread_spawn_edges(parent_thread_id, status)",
}


# Sources, each with its class.
SOURCES = {
    "cli": "user",
    "vscode": "user",
    "unknown": "user",
    '{"custom":"my-app"}': "user",
    '{"novel":{"subagent":"x"}}': "user",
    "exec": "exec",
    "mcp": "mcp",
    '{"subagent":"review"}': "subagent",
    '{"subagent":{"thread_spawn":{"depth":1}}}': "subagent",
    '{"internal":"memory_consolidation"}': "internal",
}


def made(path: Path) -> Path:
    """A database as a first opening makes it."""
    with StateDatabase.open_writer(path):
        pass
    return path


def normalised(path: Path) -> dict[tuple[str, str], str]:
    """Every table and index with its text, without what SQL does not care about."""
    found = rows(path, "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {
        (kind, name): re.sub(r"\s*([(),])\s*", r"\1", re.sub(r'[\s"]+', " ", sql)).strip().lower()
        for kind, name, sql in found
    }


def definitions(text: str) -> list[str]:
    """What is defined in a CREATE: a column that was added later stands behind the table's key."""
    head, _, body = text.partition("(")
    return [head, *sorted(re.split(r",(?![^(]*\))", body.removesuffix(")")))]


def columns_of(path: Path, table: str) -> dict[str, tuple[str, bool, str | None, bool]]:
    return {
        name: (kind, bool(required) or bool(key), default, bool(key))
        for _, name, kind, required, default, key in rows(path, f"PRAGMA table_info({table})")
    }


def parsed(description: str) -> dict[str, tuple[str, bool, str | None, bool]]:
    columns = {}
    for line in description.strip().splitlines():
        name, kind, *rest = line.split()
        key = "key" in rest
        default = rest[rest.index("DEFAULT") + 1] if "DEFAULT" in rest else None
        columns[name] = (kind, "NOT" in rest or key, default, key)
    return columns


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(config()).get_heads() == [HEAD]
    assert len(THREADS.columns) == THREAD_COLUMNS


def test_migrations_make_what_create_all_makes(tmp_path: Path) -> None:
    path = migrated(tmp_path / "migrated.sqlite")
    other = made(tmp_path / "created.sqlite")
    created, expected = normalised(other), normalised(path)
    # Alembic names the key of its own table; nobody relies on it.
    version = ("table", "alembic_version")
    assert created.pop(version, None) is not None
    assert expected.pop(version, None) is not None
    assert created.keys() == expected.keys()
    for kind, name in created:
        assert definitions(created[kind, name]) == definitions(expected[kind, name])
        if kind == "table":
            assert columns_of(other, name) == columns_of(path, name)
            assert list(columns_of(other, name)) == list(columns_of(path, name))
    assert rows(path, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_indexes_are_made_in_one_order(tmp_path: Path) -> None:
    """SQLite's choice between equally good ones depends on it."""
    path = made(tmp_path / "state.sqlite")
    for table in (each.name for each in TABLES):
        query = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql <> ''"
        names = [name for (name,) in rows(path, f"{query} ORDER BY rowid", table)]
        assert names == sorted(names, reverse=True)


def test_definitions_tell_tables_apart() -> None:
    one = "create table t(a integer check (a in (1,2)),b text,primary key(a))"
    assert definitions(one) == definitions(
        "create table t(a integer check (a in (1,2)),primary key(a),b text)"
    )
    assert definitions(one) != definitions(one.replace("(1,2)", "(1,3)"))
    assert definitions(one) != definitions(one.replace("b text", "b text not null"))


def test_migrating_tells_the_class_of_what_was_there_before(tmp_path: Path) -> None:
    path = migrated(tmp_path / "state.sqlite", "0001")
    for source in SOURCES:
        change(
            path,
            "INSERT INTO threads (id, source, created_at, updated_at, rollout_path, model_provider,"
            " cwd, title, sandbox_policy, approval_mode)"
            " VALUES (?, ?, 0, 0, '', '', '', '', '', '')",
            source,
            source,
        )
    made(path)
    assert dict(rows(path, "SELECT source, source_class FROM threads")) == SOURCES
    assert {source: class_of(source) for source in SOURCES} == SOURCES


def test_an_upgrade_that_fails_halfway_changes_nothing(tmp_path: Path) -> None:
    path = migrated(tmp_path / "state.sqlite", "0001")
    # The last that is made.
    change(path, "CREATE INDEX idx_threads_archived_recency_at_ms ON threads (id)")
    before = normalised(path)
    with pytest.raises(DatabaseUnavailable, match="already exists"):
        made(path)
    assert normalised(path) == before
    assert rows(path, "SELECT version_num FROM alembic_version") == [("0001",)]
    change(path, "DROP INDEX idx_threads_archived_recency_at_ms")
    with StateDatabase.open_writer(path) as database, database.transaction() as connection:
        assert connection.value("SELECT version_num FROM alembic_version") == HEAD


def test_an_upgrade_that_is_interrupted_changes_nothing(tmp_path: Path) -> None:
    path = migrated(tmp_path / "state.sqlite", "0002")
    before = normalised(path)

    def interrupt(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("CREATE", "ALTER", "UPDATE")):
            raise KeyboardInterrupt

    # Where SQLAlchemy hears of an interrupted statement, and closes what it was asked on.
    event.listen(Engine, "after_cursor_execute", interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            made(path)
    finally:
        event.remove(Engine, "after_cursor_execute", interrupt)
    assert normalised(path) == before
    assert rows(made(path), "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_an_upgrade_waits_for_who_writes_with_patience(tmp_path: Path) -> None:
    path = migrated(tmp_path / "state.sqlite", "0002")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy), StateDatabase.open_writer(path, patience=0):
            pytest.fail("it was opened")
        other.execute("COMMIT")
    assert rows(made(path), "SELECT version_num FROM alembic_version") == [(HEAD,)]


def test_a_first_opening_makes_every_table_and_a_pending_backfill(tmp_path: Path) -> None:
    path = made(tmp_path / "state.sqlite")
    names = {name for kind, name in normalised(path) if kind == "table"}
    assert names == {table.name for table in TABLES} | {"alembic_version"}
    assert rows(path, "SELECT id, status, last_watermark FROM backfill_state") == [
        (1, "pending", None)
    ]
    assert rows(path, "SELECT version_num FROM alembic_version") == [(HEAD,)]


@pytest.mark.parametrize("table", sorted(CODEX_COLUMNS))
def test_columns_are_those_of_codex(tmp_path: Path, table: str) -> None:
    columns = columns_of(made(tmp_path / "state.sqlite"), table)
    for name, column in parsed(CODEX_COLUMNS[table]).items():
        assert columns.get(name) == column, name


@pytest.mark.parametrize("table", sorted(CODEX_COLUMNS))
def test_columns_of_our_own_need_no_value(tmp_path: Path, table: str) -> None:
    """So that an INSERT that was written for Codex's table works here."""
    columns = columns_of(made(tmp_path / "state.sqlite"), table)
    for name in columns.keys() - parsed(CODEX_COLUMNS[table]).keys():
        _, required, default, _ = columns[name]
        assert default is not None or not required, name


def test_indexes_are_those_of_codex(tmp_path: Path) -> None:
    ours = normalised(made(tmp_path / "state.sqlite"))
    for name, on in CODEX_INDEXES.items():
        text = re.sub(r"\s*([(),])\s*", r"\1", f"create index {name} on {on}".lower())
        assert ours.get(("index", name)) == text


def test_the_tools_of_a_thread_go_with_it(tmp_path: Path) -> None:
    path = made(tmp_path / "state.sqlite")
    [key] = rows(path, "PRAGMA foreign_key_list(thread_dynamic_tools)")
    assert (key[2], key[3], key[4], key[6]) == ("threads", "thread_id", "id", "CASCADE")


def test_backfill_state_has_one_row_only(tmp_path: Path) -> None:
    path = made(tmp_path / "state.sqlite")
    with pytest.raises(sqlite3.IntegrityError):
        change(path, "INSERT INTO backfill_state (id, status, updated_at) VALUES (2, 'x', 0)")


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = made(tmp_path / "state.sqlite")
    before = path.read_bytes()
    assert made(path).read_bytes() == before


def test_an_empty_file_is_a_new_database(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.touch()
    assert normalised(made(path)) == normalised(made(tmp_path / "other.sqlite"))


def test_a_half_made_database_cannot_be(tmp_path: Path) -> None:
    """Making the tables is one transaction: whoever looks sees all of them, or none."""
    path = tmp_path / "state.sqlite"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE threads (id TEXT)")
        other.commit()
        with pytest.raises(DatabaseUnavailable, match="another program"):
            made(path)
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("threads",)]
