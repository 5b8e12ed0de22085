"""Bringing a database to this program's revision.

Alembic is slow to import, so it is not where there is nothing for it to do: a database at the
head is recognised with one query, an empty one is made from the schema as it is now.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, insert, text

from rolloutd.errors import DatabaseRefused
from rolloutd.resources import resource
from rolloutd.state.engine import reading, writing
from rolloutd.state.schema import APPLICATION_ID, HEAD, backfill_state, metadata

_VERSION_TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


def revision_of(connection: Connection, path: Path) -> str | None:
    """The revision a database is at; None if there is nothing in it yet.

    Raises:
        DatabaseRefused: it is another program's.
    """
    mark = connection.execute(text("PRAGMA application_id")).scalar()
    if mark == APPLICATION_ID:
        return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
    if mark or connection.execute(text("SELECT 1 FROM sqlite_master LIMIT 1")).first():
        raise DatabaseRefused(f"{path}: another program's database; rolloutd leaves it alone")
    return None


def migrate(engine: Engine, path: Path, patience: float) -> None:
    """Make the database one of revision `HEAD`, whatever it was.

    `patience` is how long to wait for another process's transaction, in seconds.

    Raises:
        DatabaseRefused: it is newer than this program, or another program's.
    """
    with reading(engine) as connection:
        revision = revision_of(connection, path)
    if revision is None:
        with writing(engine, patience) as connection:
            # Another process may have made it since.
            revision = revision_of(connection, path)
            if revision is None:
                _create(connection)
                return
    if revision != HEAD:
        _upgrade(engine, path, revision, patience)


def _create(connection: Connection) -> None:
    metadata.create_all(connection)
    connection.execute(text(f"PRAGMA application_id = {APPLICATION_ID}"))
    connection.execute(text(_VERSION_TABLE))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    connection.execute(insert(backfill_state).values(id=1, status="pending", updated_at=0))


def _upgrade(engine: Engine, path: Path, revision: str, patience: float) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(resource("migrations")).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision not in known:
        raise DatabaseRefused(
            f"{path}: written by a newer rolloutd (revision {revision}, this one knows {HEAD}); "
            "upgrade rolloutd, or set another database"
        )
    with writing(engine, patience) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
