"""The tables.

`threads`, `thread_dynamic_tools`, `thread_spawn_edges` and the first columns of
`backfill_state` have the names, types, defaults and indexes of Codex's own state database
(0.130.0, and 0.169.0's columns where rollouts fill them). `rollouts`, `session_names` and `home`
are rolloutd's. Columns are only ever added.

In plain SQL: what makes tables out of objects takes longer to import than a backfill of a
gigabyte takes to read.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Index(NamedTuple):
    """An index on these columns, each with its order; of all rows, or of some."""

    name: str
    on: str
    where: str | None = None


class Table(NamedTuple):
    """A table: each column with its type and what holds of it, as SQL has it."""

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    indexes: tuple[Index, ...] = ()
    constraints: tuple[str, ...] = ()

    @property
    def names(self) -> str:
        """All columns, as a query asks for them."""
        return ", ".join(self.columns)

    def creation(self) -> str:
        """The statement that makes it, without its indexes."""
        parts = [f"{name} {declared}" for name, declared in self.columns.items()]
        parts += [f"PRIMARY KEY ({', '.join(self.key)})", *self.constraints]
        return f"CREATE TABLE {self.name} ({', '.join(parts)})"

    def index_creations(self) -> list[str]:
        """The statements that make its indexes, in the order in which they are to be made.

        Of two that would do as well SQLite uses the one made last: ours, which say more than
        Codex's, are before those in the alphabet.
        """
        return [
            f"CREATE INDEX {name} ON {self.name} ({on})" + (f" WHERE {where}" if where else "")
            for name, on, where in sorted(self.indexes, reverse=True)
        ]

    def upsert(self) -> str:
        """INSERT with every column, or UPDATE of all but the key where the key is there already."""
        marks = ", ".join("?" * len(self.columns))
        changes = [f"{name} = excluded.{name}" for name in self.columns if name not in self.key]
        return (
            f"INSERT INTO {self.name} ({self.names}) VALUES ({marks})"  # noqa: S608
            f" ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {', '.join(changes)}"
        )


_TEXT = "TEXT"
_SOME_TEXT = "TEXT NOT NULL"
_TEXT_OR_EMPTY = "TEXT DEFAULT '' NOT NULL"
_NUMBER = "INTEGER"
_SOME_NUMBER = "INTEGER NOT NULL"
_NUMBER_OR_0 = "INTEGER DEFAULT 0 NOT NULL"
_THE_ONLY_ONE = "INTEGER NOT NULL CHECK (id = 1)"

_VISIBLE = "preview <> ''"

THREADS = Table(
    "threads",
    {
        "id": _SOME_TEXT,
        "rollout_path": _SOME_TEXT,
        "created_at": _SOME_NUMBER,
        "updated_at": _SOME_NUMBER,
        "source": _SOME_TEXT,
        "model_provider": _SOME_TEXT,
        "cwd": _SOME_TEXT,
        "title": _SOME_TEXT,
        "sandbox_policy": _SOME_TEXT,
        "approval_mode": _SOME_TEXT,
        "tokens_used": _NUMBER_OR_0,
        "has_user_event": _NUMBER_OR_0,
        "archived": _NUMBER_OR_0,
        "archived_at": _NUMBER,
        "git_sha": _TEXT,
        "git_branch": _TEXT,
        "git_origin_url": _TEXT,
        "cli_version": _TEXT_OR_EMPTY,
        "first_user_message": _TEXT_OR_EMPTY,
        "agent_nickname": _TEXT,
        "agent_role": _TEXT,
        "memory_mode": "TEXT DEFAULT 'enabled' NOT NULL",
        "model": _TEXT,
        "reasoning_effort": _TEXT,
        "agent_path": _TEXT,
        "created_at_ms": _NUMBER,
        "updated_at_ms": _NUMBER,
        "thread_source": _TEXT,
        "preview": _TEXT_OR_EMPTY,
        "recency_at": _NUMBER_OR_0,
        "recency_at_ms": _NUMBER_OR_0,
        "history_mode": "TEXT DEFAULT 'legacy' NOT NULL",
        "name": _TEXT,
        "originator": _TEXT,
        # Ours: who was at work, see `rolloutd.sources`.
        "source_class": "TEXT DEFAULT 'user' NOT NULL",
    },
    ("id",),
    tuple(
        Index(f"idx_threads_{name}", *rest)
        for name, *rest in (
            ("created_at", "created_at DESC, id DESC"),
            ("updated_at", "updated_at DESC, id DESC"),
            ("archived", "archived"),
            ("source", "source"),
            ("provider", "model_provider"),
            ("created_at_ms", "created_at_ms DESC, id DESC"),
            ("updated_at_ms", "updated_at_ms DESC, id DESC"),
            ("recency_at_ms", "recency_at_ms DESC, id DESC"),
            # A list walks one of these, and passes over other classes without looking at rows.
            ("archived_created_at_ms", "archived, created_at_ms DESC, id DESC, source_class"),
            ("archived_updated_at_ms", "archived, updated_at_ms DESC, id DESC, source_class"),
            ("archived_recency_at_ms", "archived, recency_at_ms DESC, id DESC, source_class"),
            ("archived_cwd_created_at_ms", "archived, cwd, created_at_ms DESC, id DESC"),
            ("archived_cwd_updated_at_ms", "archived, cwd, updated_at_ms DESC, id DESC"),
            ("archived_cwd_recency_at_ms", "archived, cwd, recency_at_ms DESC, id DESC"),
            # Tokens by model and time are summed off this one, without looking at the rows.
            ("model_created_at", "model, created_at, tokens_used"),
            ("name", "name", "name IS NOT NULL"),
            ("visible_created_at_ms", "archived, created_at_ms DESC", _VISIBLE),
            ("visible_updated_at_ms", "archived, updated_at_ms DESC", _VISIBLE),
            ("visible_recency_at_ms", "archived, recency_at_ms DESC, id DESC", _VISIBLE),
        )
    ),
)

THREAD_DYNAMIC_TOOLS = Table(
    "thread_dynamic_tools",
    {
        "thread_id": _SOME_TEXT,
        "position": _SOME_NUMBER,
        "name": _SOME_TEXT,
        "description": _SOME_TEXT,
        "input_schema": _SOME_TEXT,
        "defer_loading": _NUMBER_OR_0,
        "namespace": _TEXT,
    },
    ("thread_id", "position"),
    (Index("idx_thread_dynamic_tools_thread", "thread_id"),),
    ("FOREIGN KEY (thread_id) REFERENCES threads (id) ON DELETE CASCADE",),
)

THREAD_SPAWN_EDGES = Table(
    "thread_spawn_edges",
    {"parent_thread_id": _SOME_TEXT, "child_thread_id": _SOME_TEXT, "status": _SOME_TEXT},
    ("child_thread_id",),
    (Index("idx_thread_spawn_edges_parent_status", "parent_thread_id, status"),),
)

BACKFILL_STATE = Table(
    "backfill_state",
    {
        "id": _THE_ONLY_ONE,
        "status": _SOME_TEXT,
        "last_watermark": _TEXT,
        "last_success_at": _NUMBER,
        "updated_at": _SOME_NUMBER,
        "reason": _TEXT,
        "owner_token": _TEXT,
        "owner_host": _TEXT,
        "owner_boot": _TEXT,
        "owner_pid": _NUMBER,
        "owner_started": _NUMBER,
        "owner_since_ms": _NUMBER,
        "lease_expires_at_ms": _NUMBER,
        "total": _NUMBER_OR_0,
        "scanned": _NUMBER_OR_0,
        "upserted": _NUMBER_OR_0,
        "failed": _NUMBER_OR_0,
    },
    ("id",),
)

ROLLOUTS = Table(
    "rollouts",
    {
        "path": _SOME_TEXT,
        "thread_id": _TEXT,
        "archived": _SOME_NUMBER,
        "encoding": _SOME_TEXT,
        "device": _NUMBER,
        "inode": _NUMBER,
        "size": _NUMBER,
        "mtime_ns": _NUMBER,
        "ctime_ns": _NUMBER,
        "offset": _NUMBER,
        "anchors": _TEXT,
        "lines": _SOME_NUMBER,
        "parse_errors": _SOME_NUMBER,
        "summary": _SOME_TEXT,
        "resume": _TEXT,
        "parser_version": _SOME_NUMBER,
        "error": _TEXT,
        "indexed_at_ms": _SOME_NUMBER,
    },
    ("path",),
    (
        Index("idx_rollouts_thread", "thread_id"),
        Index("idx_rollouts_indexed_at_ms", "indexed_at_ms"),
        Index("idx_rollouts_failed", "path", "error IS NOT NULL"),
    ),
)

SESSION_NAMES = Table(
    "session_names", {"thread_id": _SOME_TEXT, "name": _SOME_TEXT}, ("thread_id",)
)

HOME = Table(
    "home",
    {"id": _THE_ONLY_ONE, "codex_home": _SOME_TEXT, "model_provider": _SOME_TEXT},
    ("id",),
)

TABLES = (
    BACKFILL_STATE,
    HOME,
    ROLLOUTS,
    SESSION_NAMES,
    THREAD_SPAWN_EDGES,
    THREADS,
    THREAD_DYNAMIC_TOOLS,
)
"""All of them; each after those that it refers to."""
