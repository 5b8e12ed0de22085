"""Which Codex home a database is the index of."""

import os

from rolloutd.errors import ConfigurationError
from rolloutd.state.connections import Connection
from rolloutd.state.reader import other_home

_BINDING = "SELECT codex_home, model_provider FROM home"


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
    before, now = binding_of(connection), (codex_home, model_provider)
    if before is None:
        connection.execute(
            "INSERT INTO home (id, codex_home, model_provider) VALUES (1, ?, ?)", now
        )
    elif before != now:
        connection.execute("UPDATE home SET codex_home = ?, model_provider = ?", now)
        return True
    return False


def home_of(connection: Connection) -> str | None:
    """The home that the database is the index of; None before the first backfill."""
    bound = binding_of(connection)
    return None if bound is None else bound[0]


def binding_of(connection: Connection) -> tuple[str, str] | None:
    """That home and the default provider that rows rest on; None before the first backfill."""
    bound: tuple[str, str] | None = connection.execute(_BINDING).fetchone()
    return bound
