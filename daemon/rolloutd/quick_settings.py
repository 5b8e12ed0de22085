"""A quick reading of the settings, for commands that end before long.

Their validation takes three times as long to import as a list takes to print. What such a command
needs to know is taken as it is where it is beyond doubt, and of the other settings that is enough.
All that is less than that is left to the whole of the settings to judge, so that what is wrong is
refused in the same words everywhere.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rolloutd.places import (
    ENV_PREFIX,
    Places,
    config_path,
    default_database,
    default_home,
    refuse_inside,
    resolved_database,
    resolved_home,
    utf8,
)

_NUMBER = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)  # 1 to 9999: within every setting's bounds
_WORDS = {
    "watch": {"auto", "native", "poll"},
    "log_level": {"debug", "info", "warning", "error"},
    "log_format": {"auto", "console", "plain", "journal", "json"},
    "metrics_port": {"0", "off"},
}
_NUMBERS = frozenset(
    {
        "metrics_port",
        "backfill_batch_size",
        "backfill_lease_seconds",
        "backfill_wait_seconds",
        "reconcile_seconds",
    }
)
_TEXTS = frozenset({"codex_home", "database", "model_provider", "metrics_host"})
_KEYS = _TEXTS | _NUMBERS | _WORDS.keys()


@dataclass(frozen=True)
class QuickSettings(Places):
    """Places, and how to work there; see `settings.Settings`, whose defaults these are too."""

    backfill_batch_size: int = 200
    backfill_lease_seconds: float = 900
    backfill_wait_seconds: float = 30
    log_level: str = "info"
    log_format: str = "auto"


_OTHERS = {
    "backfill_batch_size": int,
    "backfill_lease_seconds": float,
    "backfill_wait_seconds": float,
    "log_level": str,
    "log_format": str,
}


class _Doubtful(Exception):
    """Something that the whole of the settings has to judge."""


def quick_settings(overrides: Mapping[str, Any]) -> QuickSettings | None:
    """What `load_settings` would say of these, or None where only that can tell.

    Raises:
        ConfigurationError: what `load_settings` raises, too.
    """
    try:
        given = _file_values() | _environment_values()
        given |= {key: value for key, value in overrides.items() if value is not None}
        if not all(_is_beyond_doubt(key, value) for key, value in given.items()):
            return None
        home, database = given.get("codex_home"), given.get("database")
        home = default_home() if home is None else resolved_home(Path(home))
        database = resolved_database(default_database() if database is None else Path(database))
        refuse_inside(utf8(database), utf8(home))
    except (_Doubtful, OSError, ValueError):
        return None
    others: dict[str, Any] = {key: _OTHERS[key](given[key]) for key in given.keys() & _OTHERS}
    return QuickSettings(home, database, given.get("model_provider"), **others)


def _is_beyond_doubt(key: str, value: object) -> bool:
    if key in _TEXTS:
        return isinstance(value, str | Path) and value != ""
    # In TOML, numbers need no quotes.
    text = str(value) if type(value) is int else value
    if not isinstance(text, str):
        return False
    return text in _WORDS.get(key, ()) or (key in _NUMBERS and _NUMBER.fullmatch(text) is not None)


def _environment_values() -> dict[str, Any]:
    values: dict[str, Any] = {}
    codex = os.environ.get("CODEX_HOME")
    if codex:
        values["codex_home"] = codex
    for variable, value in os.environ.items():
        if not variable.upper().startswith(ENV_PREFIX):
            continue
        key = variable.removeprefix(ENV_PREFIX).lower()
        if key not in _KEYS or variable != ENV_PREFIX + key.upper():
            raise _Doubtful
        if value:
            values[key] = value
    return values


def _file_values() -> dict[str, Any]:
    path = config_path()
    if path is None:
        return {}
    try:
        status = path.stat()
    except FileNotFoundError:
        return {}
    if not stat.S_ISREG(status.st_mode):
        raise _Doubtful
    import tomllib

    values = tomllib.loads(path.read_bytes().decode())
    if not values.keys() <= _KEYS:
        raise _Doubtful
    return values
