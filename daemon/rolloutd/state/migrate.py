"""Bringing a database to this program's revision.

Alembic is slow to import, so it is not where there is nothing for it to do: a database at the
head is recognised with one query, an empty one is made from the schema as it is now.
"""

from operator import attrgetter
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, insert, text
from sqlalchemy.schema import CreateIndex, CreateTable, DropIndex

from rolloutd.resources import resource
from rolloutd.state.completeness import lost_columns, tables_without_an_index
from rolloutd.state.engine import reading, writing
from rolloutd.state.faults import CorruptDatabase
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
        CorruptDatabase: something is not there that was.
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
        return
    with reading(engine) as connection:
        for column in lost_columns(connection.exec_driver_sql):
            raise CorruptDatabase(path, f"no {column}")
        damaged = tables_without_an_index(connection.exec_driver_sql)
    if damaged:
        with writing(engine, patience) as connection:
            _make_indexes_anew(connection, damaged)


def create(connection: Connection) -> None:
    """Make an empty database one of revision `HEAD`."""
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table))
        _make_indexes(connection, table)
    connection.execute(text(f"PRAGMA application_id = {APPLICATION_ID}"))
    connection.execute(text(_VERSION_TABLE))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    connection.execute(insert(backfill_state).values(id=1, status="pending", updated_at=0))


def _make_indexes(connection: Connection, table: Table) -> None:
    # Of two that would do as well SQLite uses the index made last: ours, which say more than
    # Codex's, are before those in the alphabet.
    for index in sorted(table.indexes, key=attrgetter("name"), reverse=True):
        connection.execute(CreateIndex(index))


def _make_indexes_anew(connection: Connection, tables: list[Table]) -> None:
    # All of a table, since the order in which they are made matters.
    for table in tables:
        for index in table.indexes:
            connection.execute(DropIndex(index, if_exists=True))
        _make_indexes(connection, table)


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
