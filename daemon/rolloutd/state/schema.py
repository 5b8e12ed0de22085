"""The tables.

`threads`, `thread_dynamic_tools`, `thread_spawn_edges` and the first columns of
`backfill_state` have the names, types, defaults and indexes of Codex's own state database
(0.130.0, and 0.169.0's columns where rollouts fill them). `rollouts`, `session_names` and `home`
are rolloutd's. Columns are only ever added.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    literal_column,
    text,
)

metadata = MetaData()

_NO = text("0")
_EMPTY = text("''")

threads = Table(
    "threads",
    metadata,
    Column("id", Text, primary_key=True),
    Column("rollout_path", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("model_provider", Text, nullable=False),
    Column("cwd", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("sandbox_policy", Text, nullable=False),
    Column("approval_mode", Text, nullable=False),
    Column("tokens_used", Integer, nullable=False, server_default=_NO),
    Column("has_user_event", Integer, nullable=False, server_default=_NO),
    Column("archived", Integer, nullable=False, server_default=_NO),
    Column("archived_at", Integer),
    Column("git_sha", Text),
    Column("git_branch", Text),
    Column("git_origin_url", Text),
    Column("cli_version", Text, nullable=False, server_default=_EMPTY),
    Column("first_user_message", Text, nullable=False, server_default=_EMPTY),
    Column("agent_nickname", Text),
    Column("agent_role", Text),
    Column("memory_mode", Text, nullable=False, server_default=text("'enabled'")),
    Column("model", Text),
    Column("reasoning_effort", Text),
    Column("agent_path", Text),
    Column("created_at_ms", Integer),
    Column("updated_at_ms", Integer),
    Column("thread_source", Text),
    Column("preview", Text, nullable=False, server_default=_EMPTY),
    Column("recency_at", Integer, nullable=False, server_default=_NO),
    Column("recency_at_ms", Integer, nullable=False, server_default=_NO),
    Column("history_mode", Text, nullable=False, server_default=text("'legacy'")),
    Column("name", Text),
    Column("originator", Text),
    # Ours: who was at work, see `rolloutd.sources`.
    Column("source_class", Text, nullable=False, server_default=text("'user'")),
)


def _index(name: str, *columns: str, where: str | None = None) -> None:
    Index(
        f"idx_threads_{name}",
        *(literal_column(column) if " " in column else threads.c[column] for column in columns),
        sqlite_where=None if where is None else text(where),
        _table=threads,
    )


for _name, *_columns in (
    ("created_at", "created_at DESC", "id DESC"),
    ("updated_at", "updated_at DESC", "id DESC"),
    ("archived", "archived"),
    ("source", "source"),
    ("provider", "model_provider"),
    ("created_at_ms", "created_at_ms DESC", "id DESC"),
    ("updated_at_ms", "updated_at_ms DESC", "id DESC"),
    ("recency_at_ms", "recency_at_ms DESC", "id DESC"),
    # A list walks one of these, and passes over other classes without looking at their rows.
    ("archived_created_at_ms", "archived", "created_at_ms DESC", "id DESC", "source_class"),
    ("archived_updated_at_ms", "archived", "updated_at_ms DESC", "id DESC", "source_class"),
    ("archived_recency_at_ms", "archived", "recency_at_ms DESC", "id DESC", "source_class"),
    ("archived_cwd_created_at_ms", "archived", "cwd", "created_at_ms DESC", "id DESC"),
    ("archived_cwd_updated_at_ms", "archived", "cwd", "updated_at_ms DESC", "id DESC"),
    ("archived_cwd_recency_at_ms", "archived", "cwd", "recency_at_ms DESC", "id DESC"),
):
    _index(_name, *_columns)

# Tokens by model and time are summed off this one, without looking at the rows.
_index("model_created_at", "model", "created_at", "tokens_used")
_index("name", "name", where="name IS NOT NULL")

_VISIBLE = "preview <> ''"
_index("visible_created_at_ms", "archived", "created_at_ms DESC", where=_VISIBLE)
_index("visible_updated_at_ms", "archived", "updated_at_ms DESC", where=_VISIBLE)
_index("visible_recency_at_ms", "archived", "recency_at_ms DESC", "id DESC", where=_VISIBLE)

thread_dynamic_tools = Table(
    "thread_dynamic_tools",
    metadata,
    Column("thread_id", Text, ForeignKey("threads.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("input_schema", Text, nullable=False),
    Column("defer_loading", Integer, nullable=False, server_default=_NO),
    Column("namespace", Text),
    Index("idx_thread_dynamic_tools_thread", "thread_id"),
)

thread_spawn_edges = Table(
    "thread_spawn_edges",
    metadata,
    Column("parent_thread_id", Text, nullable=False),
    Column("child_thread_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Index("idx_thread_spawn_edges_parent_status", "parent_thread_id", "status"),
)

backfill_state = Table(
    "backfill_state",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("status", Text, nullable=False),
    Column("last_watermark", Text),
    Column("last_success_at", Integer),
    Column("updated_at", Integer, nullable=False),
    Column("reason", Text),
    Column("owner_token", Text),
    Column("owner_host", Text),
    Column("owner_boot", Text),
    Column("owner_pid", Integer),
    Column("owner_started", Integer),
    Column("owner_since_ms", Integer),
    Column("lease_expires_at_ms", Integer),
    Column("total", Integer, nullable=False, server_default=_NO),
    Column("scanned", Integer, nullable=False, server_default=_NO),
    Column("upserted", Integer, nullable=False, server_default=_NO),
    Column("failed", Integer, nullable=False, server_default=_NO),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("path", Text, primary_key=True),
    Column("thread_id", Text),
    Column("archived", Integer, nullable=False),
    Column("encoding", Text, nullable=False),
    Column("device", Integer),
    Column("inode", Integer),
    Column("size", Integer),
    Column("mtime_ns", Integer),
    Column("ctime_ns", Integer),
    Column("offset", Integer),
    Column("anchors", Text),
    Column("lines", Integer, nullable=False),
    Column("parse_errors", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("resume", Text),
    Column("parser_version", Integer, nullable=False),
    Column("error", Text),
    Column("indexed_at_ms", Integer, nullable=False),
    Index("idx_rollouts_thread", "thread_id"),
    Index("idx_rollouts_indexed_at_ms", "indexed_at_ms"),
    Index("idx_rollouts_failed", "path", sqlite_where=text("error IS NOT NULL")),
)

session_names = Table(
    "session_names",
    metadata,
    Column("thread_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
)

home = Table(
    "home",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("codex_home", Text, nullable=False),
    Column("model_provider", Text, nullable=False),
)
