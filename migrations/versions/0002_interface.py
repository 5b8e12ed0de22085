"""An index for each query that the documentation shows."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE INDEX idx_rollouts_failed ON rollouts (path) WHERE error IS NOT NULL
    """,
    """
    CREATE INDEX idx_rollouts_indexed_at_ms ON rollouts (indexed_at_ms)
    """,
    """
    CREATE INDEX idx_threads_model_created_at ON threads (model, created_at, tokens_used)
    """,
    """
    CREATE INDEX idx_threads_name ON threads (name) WHERE name IS NOT NULL
    """,
)


def upgrade() -> None:
    """Make the indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)
