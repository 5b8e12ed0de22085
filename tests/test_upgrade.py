"""A database of the first revision, with rows in it, is taken over as it is."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from rolloutd.resources import resource
from rolloutd.state.revision import HEAD
from rolloutd.state.schema import TABLES
from tests.running import Place, dump, rows
from tests.verify.everything import make


def make_first_revision(path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(resource("migrations")))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()


def copy_rows(source: Path, target: Path) -> None:
    """Every row, without the columns that the target does not have yet."""
    with closing(sqlite3.connect(target)) as connection, connection:
        connection.execute("ATTACH ? AS source", (str(source),))
        connection.execute("DELETE FROM backfill_state")
        for table in (each.name for each in TABLES):
            known = connection.execute(f"PRAGMA main.table_info({table})").fetchall()
            names = ", ".join(f'"{row[1]}"' for row in known)
            connection.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM source.{table}")


def test_an_upgrade_keeps_every_row(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    make(place)
    current = place.database.rename(tmp_path / "current.sqlite")
    make_first_revision(place.database)
    copy_rows(current, place.database)
    assert rows(place.database, "SELECT version_num FROM alembic_version") == [("0001",)]
    done = place.run("status")
    assert done.code == 74, "who only reads does not migrate"
    assert f"this rolloutd reads {HEAD}" in done.stderr
    assert place.run("verify", "--repair", "--json").document["status"] == "true"
    assert rows(place.database, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert place.backfill()["bytes"] == 0
    assert dump(place.database) == place.fresh()
