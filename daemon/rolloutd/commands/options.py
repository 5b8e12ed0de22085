"""The options that several commands share, and the settings that come of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rolloutd.places import Places
from rolloutd.quick_settings import QuickSettings, quick_settings

if TYPE_CHECKING:
    from rolloutd.settings import Settings

CodexHome = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER", help="The Codex home to index; by default $CODEX_HOME, or ~/.codex."
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="The database; by default ~/.local/state/rolloutd/state.sqlite."
    ),
]
ModelProvider = Annotated[
    str | None,
    typer.Option(
        help="Provider of threads that name none; by default that of Codex's own config.toml."
    ),
]
BatchSize = Annotated[int | None, typer.Option(help="Files a transaction.")]
LeaseSeconds = Annotated[float | None, typer.Option(help="How long a claim holds.")]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.")]
LogFormat = Annotated[str | None, typer.Option(help="auto, console, plain, journal or json.")]
FromFiles = Annotated[
    bool, typer.Option("--from-files", help="Read the files, and leave the database alone.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def read_settings(**overrides: Any) -> "Settings":
    """The settings, with these options before all else; records are logged as they say.

    Raises:
        ConfigurationError: see `load_settings`.
    """
    # What is slow to import is imported where it is needed: `--help` answers at once.
    from rolloutd.logs import configure_logging
    from rolloutd.settings import load_settings

    settings = load_settings(overrides)
    configure_logging(settings.log_level, settings.log_format)
    return settings


def read_quickly(**overrides: Any) -> "QuickSettings | Settings":
    """The same for a command that needs no more than the quick reading gives.

    Raises:
        ConfigurationError: see `load_settings`.
    """
    settings = quick_settings(overrides)
    if settings is None:
        return read_settings(**overrides)
    from rolloutd.logs import configure_logging

    configure_logging(settings.log_level, settings.log_format)
    return settings


def read_places(overrides: Mapping[str, Any]) -> Places:
    """Of the settings, with these options before all else, what one needs who only reads.

    Raises:
        ConfigurationError: see `load_settings`.
    """
    places = quick_settings(overrides)
    if places is not None:
        return places
    settings = read_settings(**overrides)
    return Places(settings.codex_home, settings.database, settings.model_provider)
