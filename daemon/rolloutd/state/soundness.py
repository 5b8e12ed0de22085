"""Soundness: whether a database can be what rolloutd has written.

SQLite hands out whatever stands in a damaged page as long as it has the form of a page: a NULL
where there can be none, a number for a text. No code is prepared for that, nor should it be.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rolloutd.state.completeness import lost_columns, own_columns, tables_without_an_index
from rolloutd.state.faults import ConstraintBroken, CorruptDatabase, explained

_CONFUSED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, ConstraintBroken)


def refuse_unsound(path: Path, connection: sqlite3.Connection) -> None:
    """See that all is there, that it agrees, and that every value has the type of its column.

    Of what others have added, only that the file as a whole agrees.

    Reads all of it: two seconds of a core for 100,000 threads.

    Raises:
        CorruptDatabase: they do not.
        DatabaseUnavailable: it cannot be told.
    """
    with explained(path):
        for problem in _problems(connection):
            raise CorruptDatabase(path, problem)


def _problems(connection: sqlite3.Connection) -> Iterator[str]:
    (told,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if told != "ok":
        yield told.splitlines()[-1]
    yield from _lost(connection)
    ours = own_columns()
    for table in sorted({table for table, _ in ours}):
        columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
        wrong = [
            f"typeof({name}) <> '{kind.lower()}' AND ({never_null} OR {name} IS NOT NULL)"
            for _, name, kind, never_null, *_ in columns
            if kind in ("INTEGER", "TEXT") and (table, name) in ours
        ]
        query = f"SELECT 1 FROM {table} WHERE {' OR '.join(wrong)} LIMIT 1"  # noqa: S608
        if wrong and connection.execute(query).fetchone():
            yield f"values of a wrong type in {table}"


def _lost(connection: sqlite3.Connection) -> Iterator[str]:
    yield from (f"no {column}" for column in lost_columns(connection.execute))
    for table in tables_without_an_index(connection.execute):
        yield f"an index of {table.name} is not there"
    if connection.execute("SELECT 1 FROM backfill_state").fetchone() is None:
        yield "no row in backfill_state"


@contextmanager
def doubted(refuse: Callable[[], None]) -> Iterator[None]:
    """Where what was read confuses the program, ask whether the database is to blame.

    Raises:
        CorruptDatabase: it is, says `refuse`; else the error passes as it was.
    """
    try:
        yield
    except _CONFUSED:
        refuse()
        raise
