"""A database for one question: of this process alone, and gone with the answer."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from rolloutd.state.migrate import create
from rolloutd.state.reader import StateReader


@contextmanager
def scratch_database(path: Path) -> Iterator[tuple[Connection, StateReader]]:
    """An empty database to write to, and the reader to ask it with.

    It has no name: what outgrows memory lies in a file that nobody else can open and that ends
    with the process, however that ends. `path` stands for it in messages.
    """
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as driver:
        engine = create_engine("sqlite://", creator=lambda: driver, poolclass=StaticPool)
        try:
            with engine.connect() as connection:
                # Nobody needs it after a failure.
                connection.exec_driver_sql("PRAGMA journal_mode = OFF")
                connection.exec_driver_sql("PRAGMA synchronous = OFF")
                create(connection)
                yield connection, StateReader(path, driver)
        finally:
            engine.dispose()
