"""Where things are: the home, the database, the provider, and the rules for these settings.

Quick to import; `rolloutd.settings` and `rolloutd.quick_settings` both follow them.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rolloutd.errors import ConfigurationError

ENV_PREFIX = "ROLLOUTD_"
DEFAULT_PROVIDER = "openai"


@dataclass(frozen=True)
class Places:
    """The home and the database; the provider that stands in where a thread names none."""

    codex_home: Path
    database: Path
    given_provider: str | None = None

    @cached_property
    def model_provider(self) -> str:
        """As it was set, else Codex's own; read when it is asked for."""
        return self.given_provider or codex_provider(self.codex_home)


def default_home() -> Path:
    """Where Codex keeps its things unless told otherwise."""
    return user_home() / ".codex"


def default_database() -> Path:
    """Where the database lies unless set otherwise."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "state.sqlite"


def units_folder() -> Path:
    """Where a user's own systemd units lie."""
    return _xdg("XDG_CONFIG_HOME", ".config").with_name("systemd") / "user"


def config_path() -> Path | None:
    """Where the configuration file would lie; None for a user without a home directory."""
    try:
        return _xdg("XDG_CONFIG_HOME", ".config") / "config.toml"
    except ConfigurationError:
        return None


def resolved_home(path: Path) -> Path:
    """A home that was given, as Codex takes it: links in its path are resolved.

    Raises:
        ValueError: it begins with `~nobody`, or its links lead to themselves.
    """
    return _resolved(expanded(path))


def resolved_database(path: Path) -> Path:
    """The path of the database's file itself.

    Beside that is where SQLite has its log, whatever links lead there, and where a service has to
    be let write; and there is one lock for one file.

    Raises:
        ValueError: it begins with `~nobody`, or its links lead to themselves.
    """
    return _resolved(expanded(path))


def utf8(path: Path) -> Path:
    """The path, if the database can hold it as text.

    Raises:
        ValueError: it cannot. (A UnicodeEncodeError is one.)
    """
    str(path).encode()
    return path


def refuse_inside(database: Path, home: Path) -> None:
    """See that the database does not lie in the Codex home.

    Raises:
        ConfigurationError: it does.
    """
    if _resolved(database).is_relative_to(_resolved(home)):
        raise ConfigurationError(
            f"database = {str(database)!r}: allowed is the path of a file outside "
            f"codex_home ({home}): rolloutd never writes there"
        )


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def expanded(path: Path) -> Path:
    """The path with `~` and `~user` replaced.

    Raises:
        ValueError: there is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(str(error)) from error


def user_home() -> Path:
    """The user's own folder.

    Raises:
        ConfigurationError: this user has none.
    """
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigurationError(
            "this user has no home directory: set CODEX_HOME and ROLLOUTD_DATABASE"
        ) from error


def user_folder() -> str | None:
    """The same for those that can do without."""
    try:
        return str(user_home())
    except ConfigurationError:
        return None


def codex_provider(home: Path) -> str:
    """The provider that Codex itself would use."""
    # Codex's file is not ours to judge: what cannot be read or understood says nothing.
    try:
        text = (home / "config.toml").read_text()
        import tomllib

        config = tomllib.loads(text)
    except (OSError, ValueError):
        return DEFAULT_PROVIDER
    provider = config.get("model_provider")
    return provider if isinstance(provider, str) and provider else DEFAULT_PROVIDER


def _xdg(variable: str, default: str) -> Path:
    # A relative path in these variables is to be ignored (XDG Base Directory Specification).
    base = Path(os.environ.get(variable, ""))
    return (base if base.is_absolute() else user_home() / default) / "rolloutd"
