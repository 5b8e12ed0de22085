"""Bringing a database to this program's revision.

Alembic is slow to import, so it is not where there is nothing for it to do: a database at the
head is recognised with one query, an empty one is made from the schema as it is now.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rolloutd.resources import resource
from rolloutd.state.completeness import lost_columns, tables_without_an_index
from rolloutd.state.connections import Connection, Connections, begins_to_write, reading, writing
from rolloutd.state.faults import CorruptDatabase
from rolloutd.state.revision import APPLICATION_ID, HEAD, newer, recorded_revision
from rolloutd.state.schema import TABLES, Table

if TYPE_CHECKING:
    import sqlalchemy

_VERSION_TABLE = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"


def revision_of(connection: Connection, path: Path) -> str | None:
    """The revision a database is at; None if there is nothing in it yet.

    Raises:
        DatabaseRefused: it is another program's.
    """
    return recorded_revision(connection.value, path)


def migrate(connections: Connections, path: Path, patience: float) -> None:
    """Make the database one of revision `HEAD`, whatever it was.

    `patience` is how long to wait for another process's transaction, in seconds.

    Raises:
        DatabaseRefused: it is newer than this program, or another program's.
        CorruptDatabase: something is not there that was.
    """
    with reading(connections) as connection:
        revision = revision_of(connection, path)
    if revision is None:
        with writing(connections, patience) as connection:
            # Another process may have made it since.
            revision = revision_of(connection, path)
            if revision is None:
                create(connection)
                return
    if revision != HEAD:
        _upgrade(connections, path, revision, patience)
        return
    with reading(connections) as connection:
        for column in lost_columns(connection.execute):
            raise CorruptDatabase(path, f"no {column}")
        damaged = tables_without_an_index(connection.execute)
    if damaged:
        with writing(connections, patience) as connection:
            _make_indexes_anew(connection, damaged)


def create(connection: Connection) -> None:
    """Make an empty database one of revision `HEAD`."""
    for table in TABLES:
        connection.execute(table.creation())
        _make_indexes(connection, table)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(_VERSION_TABLE)
    connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    connection.execute(
        "INSERT INTO backfill_state (id, status, updated_at) VALUES (1, 'pending', 0)"
    )


def _make_indexes(connection: Connection, table: Table) -> None:
    for statement in table.index_creations():
        connection.execute(statement)


def _make_indexes_anew(connection: Connection, tables: list[Table]) -> None:
    # All of a table, since the order in which they are made matters.
    for table in tables:
        for index in table.indexes:
            connection.execute(f"DROP INDEX IF EXISTS {index.name}")
        _make_indexes(connection, table)


def _upgrade(connections: Connections, path: Path, revision: str, patience: float) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(resource("migrations")).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision not in known:
        raise newer(revision, path)
    with _for_alembic(connections, patience) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _for_alembic(connections: Connections, patience: float) -> Iterator["sqlalchemy.Connection"]:
    """A connection as Alembic knows it, of its own: it is closed where SQLAlchemy thinks fit."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import DatabaseError
    from sqlalchemy.pool import NullPool

    engine = create_engine("sqlite://", creator=connections.opened, poolclass=NullPool)
    deadline = time.monotonic() + patience

    def begin(its: "sqlalchemy.Connection") -> None:
        driven = its.connection.driver_connection
        assert isinstance(driven, Connection)
        while not begins_to_write(driven, deadline):
            pass

    event.listen(engine, "begin", begin)
    try:
        with engine.begin() as its:
            yield its
    except DatabaseError as error:
        if error.orig is None:
            raise
        raise error.orig from error
