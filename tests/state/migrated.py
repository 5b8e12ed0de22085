"""Databases as migrations make them."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from rolloutd.resources import resource


def config() -> Config:
    made_config = Config()
    made_config.set_main_option("script_location", str(resource("migrations")))
    return made_config


def migrated(path: Path, revision: str = "head") -> Path:
    """A database that migrations made, up to a revision."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        settings = config()
        settings.attributes["connection"] = connection
        command.upgrade(settings, revision)
    engine.dispose()
    return path
