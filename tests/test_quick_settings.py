"""The quick reading of what commands that end before long need to know: as the whole does."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rolloutd.errors import ConfigurationError
from rolloutd.places import config_path
from rolloutd.quick_settings import QuickSettings, quick_settings
from rolloutd.settings import Settings, load_settings

HOMES = ("{user}/codex", "{user}/link", "~/codex", "relative", "~no-such-user/x", "{user}/loop", "")
DATABASES = ("{user}/s.sqlite", "~/s.sqlite", "s.sqlite", "{user}/.codex/s.sqlite", "{user}/loop/s")
PROVIDERS = ("mine", "", "openai")
VARIABLES = {
    "CODEX_HOME": HOMES,
    "ROLLOUTD_CODEX_HOME": HOMES,
    "ROLLOUTD_DATABASE": (*DATABASES, "{user}/link/s.sqlite", ""),
    "ROLLOUTD_MODEL_PROVIDER": PROVIDERS,
    "ROLLOUTD_WATCH": ("poll", "often", ""),
    "ROLLOUTD_LOG_LEVEL": ("info", "loud", "INFO"),
    "ROLLOUTD_LOG_FORMAT": ("json", "xml"),
    "ROLLOUTD_METRICS_PORT": ("0", "off", "9746", "65535", "65536", "-1", " 1", "1.5", "07", "²"),
    "ROLLOUTD_METRICS_HOST": ("localhost", ""),
    "ROLLOUTD_BACKFILL_BATCH_SIZE": ("1", "9999", "10000", "10001", "0"),
    "ROLLOUTD_BACKFILL_LEASE_SECONDS": ("1", "0.5", "0", "nan"),
    "ROLLOUTD_BACKFILL_WAIT_SECONDS": ("0", "5", "inf"),
    "ROLLOUTD_RECONCILE_SECONDS": ("1", "0.5", "9999"),
    "rolloutd_database": ("{user}/lower.sqlite",),
    "ROLLOUTD_NO_SUCH": ("1",),
    "XDG_STATE_HOME": ("{user}/state", "relative", ""),
    "XDG_CONFIG_HOME": ("{user}/config", "relative"),
    "HOME": ("{user}/elsewhere",),
}
FILES = (
    'codex_home = "{user}/in-file"',
    'database = "{user}/in-file.sqlite"',
    'database = "{user}/in-file/in.sqlite"\ncodex_home = "{user}/in-file"',
    'model_provider = "in-file"',
    'model_provider = ""',
    "model_provider = true",
    "codex_home = 7",
    'watch = "poll"',
    'watch = "often"',
    "watch = true",
    "metrics_port = 9746",
    "metrics_port = true",
    'metrics_port = "off"\nbackfill_batch_size = "7"\nreconcile_seconds = 5',
    "metrics_port = 70000",
    "backfill_wait_seconds = 1.5",
    "log_level = 2026-01-01",
    "metrics_host = 7",
    "[watch]",
    "batch = 5",
    "= 5",
    'model_provider = "a"\rdatabase = "b"',
    'model_provider = "\u00e9"\r\n',
    "",
)
CODEX_FILES = ('model_provider = "codex"', "model_provider = 7", "no toml", "")


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user of whom nothing is known but a home folder, in which they are."""
    for name in list(os.environ):
        if name.upper().startswith(("ROLLOUTD_", "XDG_")) or name == "CODEX_HOME":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "codex").mkdir()
    (tmp_path / "link").symlink_to("codex")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def put(path: Path | None, text: str | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)
        if text is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())


def kept(settings: Settings | QuickSettings) -> QuickSettings:
    """What the two have in common, with the provider asked for."""
    names = (field.name for field in fields(QuickSettings) if field.name != "given_provider")
    same = {name: getattr(settings, name) for name in names}
    return QuickSettings(given_provider=settings.model_provider, **same)


def whole(overrides: dict[str, Any]) -> QuickSettings | str:
    """What the whole of the settings says, or why it refuses."""
    try:
        loaded = load_settings(overrides)
    except ConfigurationError as error:
        return str(error)
    return kept(loaded)


def quick(overrides: dict[str, Any]) -> QuickSettings | str | None:
    """The same of the quick reading."""
    try:
        places = quick_settings(overrides)
    except ConfigurationError as error:
        return str(error)
    if places is None:
        return None
    return kept(places)


some = st.dictionaries(
    st.sampled_from(sorted(VARIABLES)), st.integers(min_value=0, max_value=20), max_size=4
)
given_values = st.fixed_dictionaries(
    {},
    optional={
        "codex_home": st.sampled_from([None, *HOMES]),
        "database": st.sampled_from([None, *DATABASES]),
        "model_provider": st.sampled_from([None, *PROVIDERS]),
        "backfill_batch_size": st.sampled_from([None, 1, 0, 10_000]),
        "backfill_wait_seconds": st.sampled_from([None, 0.0, 2.0]),
        "log_level": st.sampled_from([None, "debug", "loud"]),
    },
)


@settings(max_examples=300)
@given(
    variables=some,
    overrides=given_values,
    in_file=st.sampled_from([None, *FILES]),
    in_codex=st.sampled_from([None, *CODEX_FILES]),
)
def test_the_quick_reading_says_what_the_whole_says_or_nothing(
    user: Path,
    variables: dict[str, int],
    overrides: dict[str, Any],
    in_file: str | None,
    in_codex: str | None,
) -> None:
    def filled(text: str) -> str:
        return text.replace("{user}", str(user))

    chosen = {
        name: filled(VARIABLES[name][number % len(VARIABLES[name])])
        for name, number in variables.items()
    }
    paths = {
        key: Path(filled(value)) if key in {"codex_home", "database"} and value else value
        for key, value in overrides.items()
    }
    with environment(chosen):
        put(config_path(), None if in_file is None else filled(in_file))
        put(user / "codex" / "config.toml", in_codex)
        found = quick(paths)
        if found is not None:
            assert found == whole(paths)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"CODEX_HOME": "{user}/codex"},
        {"CODEX_HOME": "{user}/link", "ROLLOUTD_DATABASE": "~/s.sqlite"},
        {"ROLLOUTD_MODEL_PROVIDER": "mine", "XDG_STATE_HOME": "{user}/state"},
        {"ROLLOUTD_DATABASE": "", "CODEX_HOME": ""},
        {"ROLLOUTD_METRICS_PORT": "9747", "ROLLOUTD_LOG_FORMAT": "json"},
    ],
)
def test_what_is_usual_is_read_quickly(user: Path, values: dict[str, str]) -> None:
    values = {name: value.replace("{user}", str(user)) for name, value in values.items()}
    text = 'codex_home = "~/codex"\nmodel_provider = "in-file"\nmetrics_port = 9999\nwatch = "poll"'
    put(config_path(), text)
    with environment(values):
        found = quick({})
        assert found is not None
        assert found == whole({})


@pytest.mark.parametrize(
    ("name", "value"),
    [("ROLLOUTD_LOG_LEVEL", "INFO"), ("ROLLOUTD_NO_SUCH", ""), ("Rolloutd_Database", "/x")],
)
@pytest.mark.usefixtures("user")
def test_what_is_doubtful_is_for_the_whole_to_judge(name: str, value: str) -> None:
    with environment({name: value}):
        assert quick({}) is None


@pytest.mark.parametrize("text", ['watch = "often"', "= 5", "codex_home = 7", "x = 1"])
@pytest.mark.usefixtures("user")
def test_a_doubtful_file_is_for_the_whole_to_judge(text: str) -> None:
    put(config_path(), text)
    assert quick({}) is None


def test_a_file_that_cannot_be_looked_at_is_for_the_whole_to_judge(user: Path) -> None:
    (user / ".config").write_text("no folder")
    assert quick({}) is None
    assert isinstance(whole({}), QuickSettings)


def test_a_database_in_the_home_is_refused(user: Path) -> None:
    with pytest.raises(ConfigurationError, match="never writes there"):
        quick_settings({"codex_home": user / "codex", "database": user / "link" / "s.sqlite"})


def test_a_user_without_a_home(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(ConfigurationError, match="no home directory"):
        quick_settings({"codex_home": user / "codex"})
    places = quick_settings({"codex_home": user / "codex", "database": user / "s.sqlite"})
    assert places == QuickSettings(user / "codex", user / "s.sqlite")
