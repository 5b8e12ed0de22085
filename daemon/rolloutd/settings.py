"""The settings: command line over environment over `config.toml` over defaults.

The only reader of settings, but for `rolloutd.quick_settings`. Everything below the command line
and the supervisor receives values.
"""

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rolloutd.errors import ConfigurationError
from rolloutd.places import (
    DEFAULT_PROVIDER,
    ENV_PREFIX,
    codex_provider,
    config_path,
    default_database,
    default_home,
    expanded,
    refuse_inside,
    resolved_database,
    resolved_home,
    utf8,
)

_OF_THE_SERVICE = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_FOLDERS = ("XDG_CONFIG_HOME", "XDG_STATE_HOME")

LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["auto", "console", "plain", "journal", "json"]


class Settings(BaseSettings):
    """All settings, validated; the description of each says what is allowed."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        validate_default=True,
        protected_namespaces=(),
    )

    codex_home: Annotated[Path, Field(description="the path of a folder, in UTF-8")]
    database: Annotated[Path, Field(description="the path of a file outside codex_home, in UTF-8")]
    model_provider: Annotated[str, Field(min_length=1, description="a provider's name")]
    metrics_host: Annotated[str, Field(min_length=1, description="a host name or an address")] = (
        "127.0.0.1"
    )
    metrics_port: Annotated[
        Annotated[int, Field(ge=0, le=65535)] | Literal["off"],
        Field(description="a port from 0 (any free one) to 65535, or 'off'"),
    ] = 9746
    backfill_batch_size: Annotated[
        int, Field(ge=1, le=10_000, description="a number of files from 1 to 10000")
    ] = 200
    backfill_lease_seconds: Annotated[
        float, Field(gt=0, le=86_400, description="seconds, more than 0, at most a day (86400)")
    ] = 900
    backfill_wait_seconds: Annotated[
        float, Field(ge=0, le=86_400, description="seconds from 0 to a day (86400)")
    ] = 30
    reconcile_seconds: Annotated[
        float, Field(ge=1, le=86_400, description="seconds from 1 to a day (86400)")
    ] = 60
    watch: Annotated[
        Literal["auto", "native", "poll"], Field(description="'auto', 'native' or 'poll'")
    ] = "auto"
    log_level: Annotated[LogLevel, Field(description="'debug', 'info', 'warning' or 'error'")] = (
        "info"
    )
    log_format: Annotated[
        LogFormat, Field(description="'auto', 'console', 'plain', 'journal' or 'json'")
    ] = "auto"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """In the order of precedence; `CODEX_HOME` is Codex's own name for our `codex_home`."""
        codex = os.environ.get("CODEX_HOME")
        path = config_path()
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, {"codex_home": codex} if codex else {}),
            TomlConfigSettingsSource(settings_cls, path) if path else init_settings,
        )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: dict[str, Any]) -> dict[str, Any]:
        # TOML's booleans are no numbers, whatever Python thinks.
        values = {
            key: str(each) if isinstance(each, bool) else each for key, each in values.items()
        }
        # What depends on the home, or on the user's folders, has no constant default.
        home = values.get("codex_home")
        if home is None:
            home = default_home()
        elif isinstance(home, str | Path) and home != "":
            # As Codex does with a home that it is given: links in its path are resolved.
            with suppress(ValueError):
                home = resolved_home(Path(home))
        values["codex_home"] = home
        if "database" not in values:
            values["database"] = default_database()
        if "model_provider" not in values:
            # A home that is none is refused before long.
            values["model_provider"] = DEFAULT_PROVIDER
            with suppress(ValueError):
                if isinstance(home, str | Path):
                    values["model_provider"] = codex_provider(resolved_home(Path(home)))
        return values

    @field_validator("codex_home", "database", mode="before")
    @classmethod
    def _given(cls, value: object) -> object:
        if value == "":  # It would be the current directory: nobody means that by nothing.
            raise ValueError("empty")
        return value

    @field_validator("codex_home")
    @classmethod
    def _resolvable(cls, path: Path) -> Path:
        resolved_home(path)
        return path

    @field_validator("database")
    @classmethod
    def _resolved(cls, path: Path) -> Path:
        return resolved_database(path)

    @field_validator("codex_home", "database")
    @classmethod
    def _utf8(cls, path: Path) -> Path:
        return utf8(path)

    @model_validator(mode="after")
    def _keep_out_of_home(self) -> "Settings":
        refuse_inside(self.database, self.codex_home)
        return self


def load_settings(overrides: Mapping[str, Any]) -> Settings:
    """The settings as they are now; `overrides` are the command line's, None meaning not given.

    Raises:
        ConfigurationError: an unknown key or a bad value, named with what is allowed.
    """
    _refuse_unknown_environment()
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_explain(error))) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{config_path()}: not valid TOML: {error}") from error
    except OSError as error:
        what = error.filename or "the current directory"
        raise ConfigurationError(f"{what}: {error.strerror}") from error


def take_service_variables() -> dict[str, str]:
    """What the service manager has told this process (sd_notify(3)), and not what it starts."""
    return {name: os.environ.pop(name) for name in _OF_THE_SERVICE if name in os.environ}


def environment_in_force(overrides: Mapping[str, Any]) -> dict[str, str]:
    """Variables by which another process finds the settings that are no file's and no default.

    `overrides` as in `load_settings`, which has accepted them; paths become absolute.
    """
    given = EnvSettingsSource(Settings)()
    if codex := os.environ.get("CODEX_HOME"):
        given.setdefault("codex_home", codex)
    given |= {key: value for key, value in overrides.items() if value is not None}
    if "codex_home" in given:
        given["codex_home"] = expanded(Path(given["codex_home"])).absolute()
    if "database" in given:
        given["database"] = resolved_database(Path(given["database"]))
    found = {ENV_PREFIX + key.upper(): str(value) for key, value in given.items()}
    return found | {name: os.environ[name] for name in _FOLDERS if os.environ.get(name)}


def _refuse_unknown_environment() -> None:
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields}
    for variable, value in os.environ.items():
        if variable.startswith(ENV_PREFIX) and variable not in known:
            allowed = ", ".join(sorted(known))
            raise ConfigurationError(f"{variable} = {value!r}: unknown setting; allowed: {allowed}")


def _explain(error: ValidationError) -> list[str]:
    lines = {}
    for problem in error.errors():
        key = str(problem["loc"][0]) if problem["loc"] else "settings"
        value = problem["input"]
        if isinstance(value, Path):
            value = str(value)
        if key in Settings.model_fields:
            allowed = f"allowed: {Settings.model_fields[key].description}"
        else:
            allowed = f"unknown setting; allowed: {', '.join(Settings.model_fields)}"
        lines[key] = f"{key} = {value!r}: {allowed}"
    return list(lines.values())
