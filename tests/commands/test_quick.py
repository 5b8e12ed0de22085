"""Commands that read are understood, and answer, before what is heavy would be imported."""

import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.core import TyperCommand

from rolloutd.cli import application
from rolloutd.commands.quick import QuickCommand
from rolloutd.state.database import StateDatabase
from tests.running import BOUND_SECONDS, Place, change, rows, thread_id
from tests.threads import insert_threads, thread

pytestmark = pytest.mark.alone

HEAVY = {
    *("sqlalchemy", "alembic", "pydantic", "pydantic_settings", "pydantic_core", "rich"),
    *("msgspec", "zstandard", "anyio", "watchfiles", "tomllib", "asyncio"),
}
THREADS = 100_000
# Of the CPU time of `rolloutd --version`.
MOST_TIMES = 2.0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.make(tmp_path)
    place.thread(1)
    place.index()
    return place


def imported(place: Place, *arguments: str) -> set[str]:
    done = place.run(*arguments, PYTHONPROFILEIMPORTTIME="1")
    assert done.code == 0, done
    lines = done.stderr.splitlines()
    return {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in lines if "|" in line}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--json",),
        ("--all", "--archived", "--active", "--limit", "5", "--sort", "created"),
        ("--search", "prompt", "--cwd", "/", "--since", "2001-01-01", "--source", "cli"),
    ],
)
def test_a_list_imports_nothing_heavy(place: Place, arguments: tuple[str, ...]) -> None:
    assert imported(place, "list", *arguments) & HEAVY == set()


@pytest.mark.parametrize("command", ["path", "show"])
def test_one_thread_takes_the_format_and_no_more(place: Place, command: str) -> None:
    assert imported(place, command, thread_id(1)) & HEAVY == {"msgspec"}


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(application())
    return {name: each for name, each in group.commands.items() if isinstance(each, QuickCommand)}


WORDS = st.sampled_from(["x", "", "5", "-1", "--", "a b", "ünï", "cli", "--limit"])


def test_which_are_quick() -> None:
    assert commands().keys() == {"list", "show", "path", "backfill", "verify"}


@settings(max_examples=150)
@given(name=st.sampled_from(["list", "show", "path", "backfill", "verify"]), data=st.data())
def test_arguments_are_understood_as_typer_does(name: str, data: st.DataObject) -> None:
    command = commands()[name]
    options = [option for param in command.params for option in param.opts]
    arguments = data.draw(st.lists(st.sampled_from(options) | WORDS, max_size=6))

    def understood(parse: Any) -> object:
        context = typer.Context(command, info_name=name)
        try:
            with context.scope(cleanup=False):
                parse(command, context, list(arguments))
        except typer.Exit:
            return "help"
        except typer.TyperException as error:
            return str(error)
        # What was not given is nothing, or no list.
        return {key: value or None for key, value in context.params.items()}

    assert understood(QuickCommand.parse_args) == understood(TyperCommand.parse_args)


def cpu_seconds(place: Place, *arguments: str) -> float:
    """CPU time of a command: the least of several runs, since others work here, too."""
    least = float("inf")
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended = subprocess.run(
            [sys.executable, "-m", "rolloutd", *arguments],
            env=place.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=BOUND_SECONDS,
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert ended.stdout
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """100,000 threads, 94,000 of them subagents'; those that a person started are the oldest."""
    place = Place.make(tmp_path_factory.mktemp("large"))
    file = place.home / "sessions" / "rollout-x.jsonl"
    file.touch()
    with StateDatabase.open_writer(place.database):
        pass
    query = (
        "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'threads' AND sql LIKE '% INDEX %'"
    )
    indexes = rows(place.database, query)
    for name, _ in indexes:
        change(place.database, f"DROP INDEX {name}")
    spawn = '{"subagent":{"thread_spawn":{"parent_thread_id":"%032x","depth":1}}}'
    insert_threads(
        place.database,
        (
            thread(
                number,
                at_ms=1_700_000_000_000 + number * 1000,
                source=spawn % number if number > THREADS * 6 // 100 else "cli",
                rollout_path=str(file),
                title=f"prompt {number} " + "and more " * (number % 50),
                preview=f"prompt {number}",
                first_user_message=f"prompt {number} " + "and more " * (number % 50),
                cwd=f"/work/{number % 100}",
                archived=int(number % 50 == 0),
            )
            for number in range(1, THREADS + 1)
        ),
    )
    for _, statement in indexes:
        change(place.database, statement)
    change(place.database, "INSERT INTO home VALUES (1, ?, 'openai')", str(place.home))
    query = "UPDATE backfill_state SET status = 'complete', last_success_at = ?"
    change(place.database, query, int(time.time()))
    return place


@pytest.fixture(scope="module")
def command_line(large: Place) -> float:
    """What the command line itself costs."""
    return cpu_seconds(large, "--version")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--sort", "created"),
        ("--sort", "updated", "--order", "asc", "--json"),
        ("--all",),
        ("--archived",),
        ("--archived", "--active", "--all", "--limit", "100"),
        ("--source", "exec", "--source", "cli"),
        ("--since", "2023-11-14", "--until", "2023-11-14T23:00:00Z"),
        ("--cwd", "/work/7"),
    ],
)
def test_a_list_of_many_costs_little_more_than_the_command_line(
    large: Place, command_line: float, arguments: tuple[str, ...]
) -> None:
    """Whole processes, of which the worst has to pass over 94,000 threads of another class."""
    assert cpu_seconds(large, "list", *arguments) < MOST_TIMES * command_line


def test_the_first_page_is_right(large: Place) -> None:
    document = large.run("list", "--json", "--limit", "2").document
    newest = THREADS * 6 // 100 - 1
    assert [each["title"].split()[1] for each in document["threads"]] == [
        str(newest),
        str(newest - 1),
    ]
    assert large.database.stat().st_size > 50_000_000
