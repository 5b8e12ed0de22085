"""A database for one question: of this process alone, and gone with the answer."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rolloutd.state.connections import Connection
from rolloutd.state.migrate import create
from rolloutd.state.reader import StateReader


@contextmanager
def scratch_database(path: Path) -> Iterator[tuple[Connection, StateReader]]:
    """An empty database to write to, and the reader to ask it with.

    It has no name: what outgrows memory lies in a file that nobody else can open and that ends
    with the process, however that ends. `path` stands for it in messages.
    """
    opened = sqlite3.connect("", isolation_level=None, check_same_thread=False, factory=Connection)
    with closing(opened) as connection:
        # Nobody needs it after a failure.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        create(connection)
        yield connection, StateReader(path, connection)
