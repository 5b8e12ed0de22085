"""The first schema."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE backfill_state (
        id INTEGER NOT NULL CHECK (id = 1),
        status TEXT NOT NULL,
        last_watermark TEXT,
        last_success_at INTEGER,
        updated_at INTEGER NOT NULL,
        reason TEXT,
        owner_token TEXT,
        owner_host TEXT,
        owner_boot TEXT,
        owner_pid INTEGER,
        owner_started INTEGER,
        owner_since_ms INTEGER,
        lease_expires_at_ms INTEGER,
        total INTEGER DEFAULT 0 NOT NULL,
        scanned INTEGER DEFAULT 0 NOT NULL,
        upserted INTEGER DEFAULT 0 NOT NULL,
        failed INTEGER DEFAULT 0 NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE home (
        id INTEGER NOT NULL CHECK (id = 1),
        codex_home TEXT NOT NULL,
        model_provider TEXT NOT NULL,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE TABLE rollouts (
        path TEXT NOT NULL,
        thread_id TEXT,
        archived INTEGER NOT NULL,
        encoding TEXT NOT NULL,
        device INTEGER,
        inode INTEGER,
        size INTEGER,
        mtime_ns INTEGER,
        ctime_ns INTEGER,
        "offset" INTEGER,
        anchors TEXT,
        lines INTEGER NOT NULL,
        parse_errors INTEGER NOT NULL,
        summary TEXT NOT NULL,
        resume TEXT,
        parser_version INTEGER NOT NULL,
        error TEXT,
        indexed_at_ms INTEGER NOT NULL,
        PRIMARY KEY (path)
    )
    """,
    """
    CREATE INDEX idx_rollouts_thread ON rollouts (thread_id)
    """,
    """
    CREATE TABLE session_names (
        thread_id TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (thread_id)
    )
    """,
    """
    CREATE TABLE thread_dynamic_tools (
        thread_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        description TEXT NOT NULL,
        input_schema TEXT NOT NULL,
        defer_loading INTEGER DEFAULT 0 NOT NULL,
        namespace TEXT,
        PRIMARY KEY (thread_id, position),
        FOREIGN KEY(thread_id) REFERENCES threads (id) ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX idx_thread_dynamic_tools_thread ON thread_dynamic_tools (thread_id)
    """,
    """
    CREATE TABLE thread_spawn_edges (
        parent_thread_id TEXT NOT NULL,
        child_thread_id TEXT NOT NULL,
        status TEXT NOT NULL,
        PRIMARY KEY (child_thread_id)
    )
    """,
    """
    CREATE INDEX idx_thread_spawn_edges_parent_status ON thread_spawn_edges (parent_thread_id, status)
    """,
    """
    CREATE TABLE threads (
        id TEXT NOT NULL,
        rollout_path TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        source TEXT NOT NULL,
        model_provider TEXT NOT NULL,
        cwd TEXT NOT NULL,
        title TEXT NOT NULL,
        sandbox_policy TEXT NOT NULL,
        approval_mode TEXT NOT NULL,
        tokens_used INTEGER DEFAULT 0 NOT NULL,
        has_user_event INTEGER DEFAULT 0 NOT NULL,
        archived INTEGER DEFAULT 0 NOT NULL,
        archived_at INTEGER,
        git_sha TEXT,
        git_branch TEXT,
        git_origin_url TEXT,
        cli_version TEXT DEFAULT '' NOT NULL,
        first_user_message TEXT DEFAULT '' NOT NULL,
        agent_nickname TEXT,
        agent_role TEXT,
        memory_mode TEXT DEFAULT 'enabled' NOT NULL,
        model TEXT,
        reasoning_effort TEXT,
        agent_path TEXT,
        created_at_ms INTEGER,
        updated_at_ms INTEGER,
        thread_source TEXT,
        preview TEXT DEFAULT '' NOT NULL,
        recency_at INTEGER DEFAULT 0 NOT NULL,
        recency_at_ms INTEGER DEFAULT 0 NOT NULL,
        history_mode TEXT DEFAULT 'legacy' NOT NULL,
        name TEXT,
        originator TEXT,
        PRIMARY KEY (id)
    )
    """,
    """
    CREATE INDEX idx_threads_archived ON threads (archived)
    """,
    """
    CREATE INDEX idx_threads_archived_cwd_created_at_ms ON threads (archived, cwd, created_at_ms DESC, id DESC)
    """,
    """
    CREATE INDEX idx_threads_archived_cwd_recency_at_ms ON threads (archived, cwd, recency_at_ms DESC, id DESC)
    """,
    """
    CREATE INDEX idx_threads_archived_cwd_updated_at_ms ON threads (archived, cwd, updated_at_ms DESC, id DESC)
    """,
    """
    CREATE INDEX idx_threads_created_at ON threads (created_at DESC, id DESC)
    """,
    """
    CREATE INDEX idx_threads_created_at_ms ON threads (created_at_ms DESC, id DESC)
    """,
    """
    CREATE INDEX idx_threads_provider ON threads (model_provider)
    """,
    """
    CREATE INDEX idx_threads_recency_at_ms ON threads (recency_at_ms DESC, id DESC)
    """,
    """
    CREATE INDEX idx_threads_source ON threads (source)
    """,
    """
    CREATE INDEX idx_threads_updated_at ON threads (updated_at DESC, id DESC)
    """,
    """
    CREATE INDEX idx_threads_updated_at_ms ON threads (updated_at_ms DESC, id DESC)
    """,
    """
    CREATE INDEX idx_threads_visible_created_at_ms ON threads (archived, created_at_ms DESC) WHERE preview <> ''
    """,
    """
    CREATE INDEX idx_threads_visible_recency_at_ms ON threads (archived, recency_at_ms DESC, id DESC) WHERE preview <> ''
    """,
    """
    CREATE INDEX idx_threads_visible_updated_at_ms ON threads (archived, updated_at_ms DESC) WHERE preview <> ''
    """,
)


def upgrade() -> None:
    """Make every table and index, and mark the file as rolloutd's."""
    op.execute("PRAGMA application_id = 1919904876")
    for statement in _STATEMENTS:
        op.execute(statement)
    op.execute("INSERT INTO backfill_state (id, status, updated_at) VALUES (1, 'pending', 0)")
