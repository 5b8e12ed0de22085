"""Which Codex home a database is the index of."""

import os

from sqlalchemy import Connection, insert, select, update

from rolloutd.errors import ConfigurationError
from rolloutd.state.reader import other_home
from rolloutd.state.schema import home


def refuse_other_home(connection: Connection, codex_home: str) -> None:
    """See that the database is not the index of another home.

    Raises:
        ConfigurationError: it is.
    """
    bound = home_of(connection)
    if bound is not None and os.path.realpath(bound) != os.path.realpath(codex_home):
        raise ConfigurationError(other_home(bound, codex_home))


def bind_home(connection: Connection, codex_home: str, model_provider: str) -> bool:
    """Say that the database is the index of this home, with this default provider.

    Returns whether it said otherwise before (the same home may be spelt in several ways): rows
    rest on both, and must be merged again.
    """
    now = {"codex_home": codex_home, "model_provider": model_provider}
    before = connection.execute(select(home.c.codex_home, home.c.model_provider)).first()
    if before is None:
        connection.execute(insert(home).values(id=1, **now))
    elif before._asdict() != now:
        connection.execute(update(home).values(**now))
        return True
    return False


def home_of(connection: Connection) -> str | None:
    """The home that the database is the index of; None before the first backfill."""
    return connection.execute(select(home.c.codex_home)).scalar()


def binding_of(connection: Connection) -> tuple[str, str] | None:
    """That home and the default provider that rows rest on; None before the first backfill."""
    row = connection.execute(select(home.c.codex_home, home.c.model_provider)).first()
    return None if row is None else (row.codex_home, row.model_provider)
