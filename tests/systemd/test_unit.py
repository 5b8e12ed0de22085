"""The unit's text, as a function of what is particular to one user."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rolloutd import __version__
from rolloutd.errors import ConfigurationError
from rolloutd.systemd.unit import Installation, database_of, render, version_of

ADA = Installation(
    python=Path("/home/ada/venv/bin/python"),
    program=(Path("/home/ada/venv"), Path("/usr")),
    codex_home=Path("/home/ada/.codex"),
    database=Path("/home/ada/.local/state/rolloutd/state.sqlite"),
    environment={},
    systemd=252,
    has_namespaces=True,
)


def assigned(text: str, key: str) -> list[str]:
    lines = [line.partition("=") for line in text.splitlines()]
    return [value for name, assigns, value in lines if assigns and name == key]


def test_the_values_of_one_user() -> None:
    text = render(replace(ADA, environment={"ROLLOUTD_WATCH": "poll", "CODEX_HOME": "/x"}))
    assert assigned(text, "ExecStart") == [
        ":/home/ada/venv/bin/python -P -X faulthandler -m rolloutd run"
    ]
    assert assigned(text, "Environment") == ["CODEX_HOME=/x", "ROLLOUTD_WATCH=poll"]
    assert assigned(text, "ReadWritePaths") == ["/home/ada/.local/state/rolloutd"]
    assert assigned(text, "PrivateTmp") == ["yes"]
    assert "%h/.local/bin" not in text
    assert assigned(render(ADA), "Environment") == []


def test_what_it_says_of_itself() -> None:
    text = render(ADA)
    assert version_of(text) == __version__
    assert database_of(text) == ADA.database
    assert render(ADA) == text


@pytest.mark.parametrize("edit", ["\n", "# mine\n", "[Install]\nWantedBy=x\n"])
def test_an_edit_shows(edit: str) -> None:
    text = render(ADA)
    assert version_of(text + edit) is None
    assert version_of(text.replace("RestartSec=10s", "RestartSec=1s")) is None
    assert version_of(text.split("\n", 1)[1]) is None
    assert version_of("") is None


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain-1.2/@x", "plain-1.2/@x"),
        ("a b", '"a b"'),
        ("50%", "50%%"),
        ('say "x"', '"say \\"x\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("it's", '"it\'s"'),
        ("$HOME", '"$HOME"'),
        ("ü", '"ü"'),
    ],
)
def test_quoting(text: str, written: str) -> None:
    unit = render(replace(ADA, database=Path("/", text, "state.sqlite")))
    path = f'"/{written[1:]}' if written[0] == '"' else f"/{written}"
    assert assigned(unit, "ReadWritePaths") == [path]
    assert assigned(unit, "ExecStartPre") == [f"+:/bin/mkdir -p -m 0700 {path}"]


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\x7fb", "a\0b"])
def test_what_cannot_be_quoted_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="control character"):
        render(replace(ADA, environment={"ROLLOUTD_MODEL_PROVIDER": text}))


@pytest.mark.parametrize(
    "changes",
    [
        {"python": Path("/tmp/venv/bin/python")},
        {"program": (Path("/var/tmp/python"),)},
        {"codex_home": Path("/tmp/codex")},
        {"database": Path("/tmp/state/state.sqlite")},
    ],
)
def test_what_lies_below_tmp_is_not_hidden(changes: dict[str, Any]) -> None:
    found = replace(ADA, **changes)
    text = render(found)
    assert assigned(text, "PrivateTmp") == ["no"]
    assert assigned(text, "ReadWritePaths") == [f"{found.database.parent} /tmp /var/tmp"]
    is_below = found.codex_home != ADA.codex_home
    assert assigned(text, "ReadOnlyPaths") == ["-/tmp/codex"] * is_below


@pytest.mark.parametrize("which", ["codex_home", "database"])
def test_what_leads_below_tmp_is_not_hidden(tmp_path: Path, which: str) -> None:
    link = tmp_path / "link"
    link.symlink_to("/tmp/there")
    changes: dict[str, Any] = {which: link / "state.sqlite"}
    text = render(replace(ADA, **changes))
    assert assigned(text, "PrivateTmp") == ["no"]


def test_a_codex_home_beside_the_database_is_not_writable() -> None:
    text = render(replace(ADA, database=Path("/home/ada/state.sqlite")))
    assert assigned(text, "ReadWritePaths") == ["/home/ada"]
    assert assigned(text, "ReadOnlyPaths") == ["-/home/ada/.codex"]
    assert assigned(render(ADA), "ReadOnlyPaths") == []


@pytest.mark.parametrize(("systemd", "grows"), [(None, False), (252, False), (254, True)])
def test_restarts_slow_down_where_systemd_can(systemd: int | None, *, grows: bool) -> None:
    text = render(replace(ADA, systemd=systemd))
    assert assigned(text, "RestartSec") == ["10s"]
    assert bool(assigned(text, "RestartSteps")) == grows
    assert bool(assigned(text, "RestartMaxDelaySec")) == grows


def test_without_namespaces_only_that_is_left_out_which_needs_them() -> None:
    text = render(replace(ADA, has_namespaces=False, database=Path("/home/ada/state.sqlite")))
    for key in ("PrivateUsers", "ProtectSystem", "ReadWritePaths", "ReadOnlyPaths", "PrivateTmp"):
        assert assigned(text, key) == []
    assert assigned(text, "CapabilityBoundingSet") == []
    assert assigned(text, "NoNewPrivileges") == ["yes"]
    assert len(assigned(text, "SystemCallFilter")) == 2
