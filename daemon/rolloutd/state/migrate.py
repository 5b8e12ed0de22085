"""Bringing a database to this program's revision.

Alembic is slow to import, so it is not where there is nothing for it to do: a database at the
head is recognised with one query, an empty one is made from the schema as it is now.
"""

from operator import attrgetter
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, text
from sqlalchemy.schema import CreateIndex, CreateTable

from rolloutd.resources import resource
from rolloutd.state.engine import reading, writing
from rolloutd.state.revision import APPLICATION_ID, HEAD, newer, recorded_revision
from rolloutd.state.schema import backfill_state, metadata

_VERSION_TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


def revision_of(connection: Connection, path: Path) -> str | None:
    """The revision a database is at; None if there is nothing in it yet.

    Raises:
        DatabaseRefused: it is another program's.
    """
    return recorded_revision(lambda query: connection.exec_driver_sql(query).scalar(), path)


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
                create(connection)
                return
    if revision != HEAD:
        _upgrade(engine, path, revision, patience)


def create(connection: Connection) -> None:
    """Make an empty database one of revision `HEAD`."""
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table))
        # Of two that would do as well SQLite uses the index made last: ours, which say more than
        # Codex's, are before those in the alphabet.
        for index in sorted(table.indexes, key=attrgetter("name"), reverse=True):
            connection.execute(CreateIndex(index))
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
        raise newer(revision, path)
    with writing(engine, patience) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
