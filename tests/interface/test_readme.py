"""The README's examples run: commands as they are typed, what Python is shown, make's targets."""

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.interface.documents import README, ROOT, indented
from tests.running import BOUND_SECONDS, Place, index, thread_id

# What other programs are shown for needs a service manager, a network or a screen.
_RUN = ("rolloutd", "sqlite3", "python")
_ID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){0,3}(-[0-9a-f]{12})?\b")
# Without an end of their own, or changing what is not ours.
_NOT_RUN = re.compile(r"rolloutd (run|service)\b")


def is_whole(command: str) -> bool:
    """Whether a shell would not wait for more of it."""
    checked = subprocess.run(["bash", "-nc", command], capture_output=True, check=False)
    return checked.returncode == 0


def sessions() -> Iterator[tuple[str, list[str]]]:
    """Each command that follows a `$`, with the lines that it is shown to print."""
    for block in indented(README):
        command, printed = "", list[str]()
        for line in block:
            if line.startswith("$ "):
                if command:
                    yield command, printed
                command, printed = line.removeprefix("$ "), []
            elif command and not is_whole(command):
                command += f"\n{line}"
            elif command:
                printed.append(line)
        if command:
            yield command, printed


SESSIONS = [
    (command, printed)
    for command, printed in sessions()
    if command.startswith(_RUN) and not _NOT_RUN.match(command)
]
CONNECTIONS = [
    line for block in indented(README) for line in block if line.startswith("sqlite3.connect(")
]
TARGETS = sorted(
    {
        match[1]
        for block in indented(README)
        for line in block
        if (match := re.match(r"make (\w+)", line))
    }
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A user's folders with everything in its usual place."""
    root = tmp_path_factory.mktemp("readme")
    made = Place.make(root)
    for number in range(3):
        made.thread(number)
    made.index()
    user = root / "user"
    (user / ".codex").symlink_to(made.home)
    index(user / ".codex", user / ".local" / "state" / "rolloutd" / "state.sqlite")
    return made


def test_there_are_examples() -> None:
    assert len(SESSIONS) >= 3
    assert CONNECTIONS
    assert {"run", "test"} <= set(TARGETS)


@pytest.mark.parametrize(("command", "shown"), SESSIONS, ids=[each for each, _ in SESSIONS])
def test_a_command_does_what_is_shown(place: Place, command: str, shown: list[str]) -> None:
    command = _ID.sub(thread_id(1), command)
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", command],
        env={"PATH": programs, "HOME": str(place.root / "user"), "LANG": "C.UTF-8"},
        cwd=place.root,
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # What is shown is of another home; what it says at the left, and of which columns, is not.
    if command.startswith("rolloutd status"):
        assert [line[:9] for line in done.stdout.splitlines()][:3] == [line[:9] for line in shown][
            :3
        ]
        assert {line[:9] for line in shown if line} <= {
            each[:9] for each in done.stdout.splitlines()
        }
    for line in shown:
        if line.startswith("│    id "):
            assert line.split() == done.stdout.splitlines()[1].split()


@pytest.mark.parametrize("line", CONNECTIONS)
def test_a_connection_can_be_opened(
    place: Place, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place.database.parent)
    with closing(eval(line, {"sqlite3": sqlite3})) as connection:
        assert connection.execute("SELECT count(*) FROM threads").fetchone() == (3,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM threads")


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_there(target: str) -> None:
    done = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
