"""Who was at work on a thread, and indexes for lists of every sort."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE threads ADD COLUMN source_class TEXT DEFAULT 'user' NOT NULL",
    """
    UPDATE threads SET source_class = CASE
        WHEN source IN ('exec', 'mcp') THEN source
        WHEN source GLOB '{"subagent"*' THEN 'subagent'
        WHEN source GLOB '{"internal"*' THEN 'internal'
        ELSE 'user' END
    """,
    """
    CREATE INDEX idx_threads_archived_created_at_ms ON threads (archived, created_at_ms DESC, id DESC, source_class)
    """,
    """
    CREATE INDEX idx_threads_archived_updated_at_ms ON threads (archived, updated_at_ms DESC, id DESC, source_class)
    """,
    """
    CREATE INDEX idx_threads_archived_recency_at_ms ON threads (archived, recency_at_ms DESC, id DESC, source_class)
    """,
)


def upgrade() -> None:
    """Tell the class of every thread by its source; make indexes that serve all threads."""
    for statement in _STATEMENTS:
        op.execute(statement)
