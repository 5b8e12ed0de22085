"""Help: what every command is shown with, and that its examples run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from rolloutd.cli import application
from tests.oracle.cases_build import meta, turn, user
from tests.running import BOUND_SECONDS, Place

SHOWN_ID = "0199a213-81c0-7800-8aa1-bbab2a035a53"
ASKING = ("list", "show", "path", "verify")


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(application())
    return dict(group.commands)


def examples() -> Iterator[str]:
    """The command lines below "Examples:", without what is said of them behind."""
    for name in ASKING:
        _, _, shown = commands()[name].help.partition("Examples:\n")
        for line in shown.splitlines():
            yield line.strip().split("  ")[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place.make(tmp_path_factory.mktemp("help"))
    lines = [meta(id=SHOWN_ID, source="exec"), turn(), user("fix the login")]
    place.thread(1, *lines, path="sessions/rollout-x.jsonl")
    place.index()
    return place


@pytest.mark.parametrize("name", ASKING)
def test_help_shows_examples_in_their_lines(place: Place, name: str) -> None:
    done = place.run(name, "--help", COLUMNS="80")
    assert (done.code, done.stderr) == (0, "")
    shown = {line.strip() for line in done.stdout.splitlines()}
    for line in commands()[name].help.partition("Examples:\n")[2].splitlines():
        assert line.strip() in shown


@pytest.mark.parametrize("example", list(examples()))
def test_an_example_runs(place: Place, example: str, tmp_path: Path) -> None:
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", example],
        env=place.environment | {"PATH": programs},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_a_command_may_end_with_is_told() -> None:
    for name in ASKING:
        assert "Exit codes: 0 " in commands()[name].help
