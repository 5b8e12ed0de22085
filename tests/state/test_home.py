"""Which home a database is the index of."""

from pathlib import Path

import pytest

from rolloutd.errors import ConfigurationError
from rolloutd.state.database import StateDatabase
from rolloutd.state.home import bind_home, home_of, refuse_other_home


def test_bound_once_and_for_all(tmp_path: Path) -> None:
    with StateDatabase.open_writer(tmp_path / "state.sqlite") as database:
        with database.transaction() as connection:
            assert home_of(connection) is None
            refuse_other_home(connection, "/a")
            refuse_other_home(connection, "/b")
            assert not bind_home(connection, "/a", "openai")
        with database.reading() as connection:
            assert home_of(connection) == "/a"
            refuse_other_home(connection, "/a")
            with pytest.raises(ConfigurationError, match=r"of /a, not of /b"):
                refuse_other_home(connection, "/b")


def test_a_change_of_the_default_provider_is_told_once(tmp_path: Path) -> None:
    with (
        StateDatabase.open_writer(tmp_path / "state.sqlite") as database,
        database.transaction() as connection,
    ):
        assert not bind_home(connection, "/a", "openai")
        assert not bind_home(connection, "/a", "openai")
        assert bind_home(connection, "/a", "local")
        assert not bind_home(connection, "/a", "local")
