"""Where a setting comes from, and what is said of a wrong one."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rolloutd.errors import ConfigurationError
from rolloutd.places import config_path, units_folder
from rolloutd.quick_settings import quick_settings
from rolloutd.settings import (
    Settings,
    environment_in_force,
    load_settings,
    take_service_variables,
)
from tests.running import Place


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user of whom nothing is known but a home folder."""
    for name in list(os.environ):
        if name.startswith(("ROLLOUTD_", "XDG_")) or name == "CODEX_HOME":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def configure(text: str | bytes) -> None:
    path = config_path()
    assert path is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def load(**overrides: Any) -> Settings:
    return load_settings(overrides)


def test_defaults(user: Path) -> None:
    settings = load()
    assert settings.model_dump() == {
        "codex_home": user / ".codex",
        "database": user / ".local/state/rolloutd/state.sqlite",
        "model_provider": "openai",
        "metrics_host": "127.0.0.1",
        "metrics_port": 9746,
        "backfill_batch_size": 200,
        "backfill_lease_seconds": 900,
        "backfill_wait_seconds": 30,
        "reconcile_seconds": 60,
        "watch": "auto",
        "log_level": "info",
        "log_format": "auto",
    }


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("backfill_batch_size", ["1", "2", "3"]),
        ("model_provider", ["one", "two", "three"]),
        ("log_level", ["debug", "warning", "error"]),
        ("database", ["/a/1", "/a/2", "/a/3"]),
        ("metrics_port", ["1", "off", "0"]),
    ],
)
def test_precedence(key: str, values: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    in_file, in_environment, on_command_line = values
    configure(f'{key} = "{in_file}"')
    assert str(load().model_dump()[key]) == in_file
    monkeypatch.setenv(f"ROLLOUTD_{key.upper()}", in_environment)
    assert str(load().model_dump()[key]) == in_environment
    assert str(load(**{key: on_command_line}).model_dump()[key]) == on_command_line
    assert str(load(**{key: None}).model_dump()[key]) == in_environment


def test_the_codex_home(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(f'codex_home = "{user}/in-file"')
    assert load().codex_home == user / "in-file"
    monkeypatch.setenv("CODEX_HOME", f"{user}/codex")
    assert load().codex_home == user / "codex"
    monkeypatch.setenv("ROLLOUTD_CODEX_HOME", f"{user}/ours")
    assert load().codex_home == user / "ours"
    assert load(codex_home=user / "given").codex_home == user / "given"


def test_empty_variables_are_as_if_not_set(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CODEX_HOME", "ROLLOUTD_DATABASE", "XDG_STATE_HOME", "ROLLOUTD_LOG_LEVEL"):
        monkeypatch.setenv(name, "")
    assert load().codex_home == user / ".codex"
    assert load().database == user / ".local/state/rolloutd/state.sqlite"


def test_xdg_folders(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", f"{user}/s")
    monkeypatch.setenv("XDG_CONFIG_HOME", f"{user}/c")
    assert load().database == user / "s/rolloutd/state.sqlite"
    assert config_path() == user / "c/rolloutd/config.toml"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    assert load().database == user / ".local/state/rolloutd/state.sqlite"


def test_paths_are_absolute_and_homes_are_resolved(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (user / "real").mkdir()
    (user / "link").symlink_to("real")
    monkeypatch.chdir(user)
    settings = load(codex_home=Path("link"), database=Path("~/db/state.sqlite"))
    assert settings.codex_home == user / "real"
    assert settings.database == user / "db/state.sqlite"
    assert load(database=Path("x.sqlite")).database == user / "x.sqlite"


@pytest.mark.parametrize(
    ("text", "provider"),
    [
        ('model_provider = "mine"', "mine"),
        ('model_provider = ""', "openai"),
        ("model_provider = 7", "openai"),
        ("not toml at all", "openai"),
        (b"\xff\xfe", "openai"),
        ('[model_provider]\nname = "x"', "openai"),
    ],
)
def test_the_provider_of_codex(user: Path, text: str | bytes, provider: str) -> None:
    path = user / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    assert load().model_provider == provider
    assert load(model_provider="given").model_provider == "given"


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("backfill_batch_size", "0", "from 1 to 10000"),
        ("backfill_batch_size", "many", "from 1 to 10000"),
        ("backfill_lease_seconds", "0", "more than 0"),
        ("backfill_lease_seconds", "nan", "more than 0"),
        ("backfill_wait_seconds", "-1", "from 0"),
        ("backfill_wait_seconds", "inf", "at most|a day"),
        ("reconcile_seconds", "0.5", "from 1"),
        ("metrics_port", "65536", "65535, or 'off'"),
        ("metrics_port", "on", "65535, or 'off'"),
        ("watch", "often", "'auto', 'native' or 'poll'"),
        ("log_level", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("log_format", "xml", "'json'"),
    ],
)
def test_a_bad_value_is_refused_with_what_is_allowed(
    key: str, value: str, allowed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ROLLOUTD_{key.upper()}", value)
    with pytest.raises(ConfigurationError, match=allowed) as caught:
        load()
    assert f"{key} = {value!r}" in str(caught.value)
    monkeypatch.delenv(f"ROLLOUTD_{key.upper()}")
    configure(f'{key} = "{value}"')
    with pytest.raises(ConfigurationError, match=allowed) as caught:
        load()
    assert f"{key} = {value!r}" in str(caught.value)


@pytest.mark.parametrize("key", ["codex_home", "database"])
@pytest.mark.parametrize("value", ["~no-such-user/x", "loop/x", "nul\0"])
def test_a_path_that_leads_nowhere_is_refused_by_its_name(
    key: str, value: str, user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (user / "loop").symlink_to("loop")
    monkeypatch.chdir(user)
    with pytest.raises(ConfigurationError, match=rf"^{key} = .*: allowed: the path of a"):
        load(**{key: value})


def test_every_bad_value_is_told_at_once() -> None:
    configure('watch = "often"\nlog_level = "loud"\ncodex_home = 7\n')
    with pytest.raises(ConfigurationError) as caught:
        load()
    lines = str(caught.value).splitlines()
    assert sorted(line.split()[0] for line in lines) == ["codex_home", "log_level", "watch"]


def test_an_unknown_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    configure("batch = 5")
    with pytest.raises(ConfigurationError, match=r"batch = 5: unknown.*backfill_batch_size"):
        load()
    configure("")
    monkeypatch.setenv("ROLLOUTD_BATCH", "5")
    with pytest.raises(ConfigurationError, match=r"ROLLOUTD_BATCH = '5': unknown.*BATCH_SIZE"):
        load()


@pytest.mark.parametrize(
    "content", [b"= 5", b"watch = 'auto'\nwatch = 'poll'", b"\xff\xfe", b"watch = '\xe9'"]
)
def test_a_file_that_is_not_toml(content: bytes) -> None:
    configure(content)
    with pytest.raises(ConfigurationError, match=r"config\.toml"):
        load()


def test_frozen() -> None:
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.watch = "poll"


def test_the_exit_code_and_the_words(tmp_path: Path) -> None:
    place = Place.make(tmp_path / "place")
    done = place.run("backfill", "--json", ROLLOUTD_WATCH="often")
    assert (done.code, done.stdout) == (78, "")
    assert done.stderr == "rolloutd: watch = 'often': allowed: 'auto', 'native' or 'poll'\n"
    done = place.run("status", ROLLOUTD_NO_SUCH="1")
    assert done.code == 78
    assert "ROLLOUTD_NO_SUCH" in done.stderr
    assert not place.database.exists()


def test_what_another_process_has_to_be_told(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure('watch = "poll"')
    assert environment_in_force({"codex_home": None}) == {}
    monkeypatch.chdir(user)
    monkeypatch.setenv("CODEX_HOME", "~/codex")
    monkeypatch.setenv("ROLLOUTD_DATABASE", "state.sqlite")
    monkeypatch.setenv("ROLLOUTD_METRICS_PORT", "0")
    monkeypatch.setenv("ROLLOUTD_LOG_LEVEL", "")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    found = environment_in_force({"model_provider": "one", "database": None})
    assert found == {
        "ROLLOUTD_CODEX_HOME": str(user / "codex"),
        "ROLLOUTD_DATABASE": str(user / "state.sqlite"),
        "ROLLOUTD_METRICS_PORT": "0",
        "ROLLOUTD_MODEL_PROVIDER": "one",
        "XDG_STATE_HOME": "/state",
    }
    before = load(model_provider="one")
    monkeypatch.chdir("/")
    for name in ("CODEX_HOME", *found):
        monkeypatch.delenv(name, raising=False)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    assert load() == before


@pytest.mark.parametrize(
    "given", ["link/../state.sqlite", "folder/state.sqlite", "file.sqlite", "dangling.sqlite"]
)
def test_a_database_is_where_its_file_is(
    user: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """systemd ignores a path with `..` in it; and SQLite's log is where links end."""
    (user / "there" / "deep").mkdir(parents=True)
    (user / "link").symlink_to("there/deep")
    (user / "folder").symlink_to("there")
    (user / "there" / "state.sqlite").touch()
    (user / "file.sqlite").symlink_to("folder/state.sqlite")
    (user / "dangling.sqlite").symlink_to("not/there.sqlite")
    whole = user / ("not/there.sqlite" if given.startswith("d") else "there/state.sqlite")
    monkeypatch.chdir(user)
    assert load(database=given).database == whole
    assert environment_in_force({"database": given})["ROLLOUTD_DATABASE"] == str(whole)
    quick = quick_settings({"database": given})
    assert quick is not None
    assert quick.database == whole


def test_the_default_database_is_where_links_lead(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (user / "state").symlink_to("real")
    monkeypatch.setenv("XDG_STATE_HOME", str(user / "state"))
    whole = user / "real/rolloutd/state.sqlite"
    assert load().database == whole
    quick = quick_settings({})
    assert quick is not None
    assert quick.database == whole


def test_a_link_to_the_home_stays_one(user: Path) -> None:
    (user / "there").mkdir()
    link = user / "link"
    link.symlink_to("there")
    assert environment_in_force({"codex_home": link}) == {"ROLLOUTD_CODEX_HOME": str(link)}


def test_where_units_lie(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert units_folder() == user / ".config/systemd/user"
    monkeypatch.setenv("XDG_CONFIG_HOME", "/config")
    assert units_folder() == Path("/config/systemd/user")


def test_what_the_service_manager_says_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    taken = take_service_variables()
    assert taken == {"NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "1"}
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC"} & os.environ.keys()
    assert take_service_variables() == {}
