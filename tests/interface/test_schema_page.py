"""Every example of the schema's page runs, on an index; its tables are those of the schema."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from rolloutd.state.schema import TABLES, Table
from tests.interface.documents import SCHEMA_PAGE, Example, columns, examples, sections
from tests.oracle.cases_build import Json, dumps, meta, named, tokens, turn, user
from tests.running import BOUND_SECONDS, Place, thread_id

QUERIES = examples(SCHEMA_PAGE, "sql")
PROGRAMS = examples(SCHEMA_PAGE, "python")
SCRIPTS = examples(SCHEMA_PAGE, "sh")

CWD = "/home/ada/project"
TOOL: dict[str, Json] = {"name": "t", "description": "d", "inputSchema": {}, "namespace": "n"}
VALUES = {"cwd": CWD, "id": thread_id(1), "since": 0, "text": "needle", "name": "My thread"}

# By title: how the plan of each goes, and whether it may sort what it found.
PLANS = {
    "Recent threads in this directory": ("idx_threads_archived_cwd_updated_at_ms", False),
    "Threads in this directory and below it (`0` is the character after `/`)": (
        "idx_threads_archived_cwd_",
        True,
    ),
    "Tokens by model and week": ("COVERING INDEX idx_threads_model_created_at", True),
    "Children of a thread, and their children": ("idx_thread_spawn_edges_parent_status", True),
    "What has changed since `:since`, in milliseconds": ("idx_rollouts_indexed_at_ms", False),
    "Search by a text, the newest first": ("idx_threads_updated_at_ms", False),
    "That looks at one thread after the other, until there are 20. The newest thread of a name": (
        "idx_threads_name",
        True,
    ),
    "Threads with several files": ("COVERING INDEX idx_rollouts_thread", False),
    "Files of a thread, as they are merged": ("idx_rollouts_thread", True),
    "Files without a thread in them, and why": ("idx_rollouts_failed", False),
    "Tools that a client brought into a thread": ("INDEX", False),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A user whose database lies where it does by default, in which each query finds something."""
    made = Place.make(tmp_path_factory.mktemp("documented"))
    made.thread(1, meta(cwd=CWD, dynamic_tools=[TOOL]), turn(), user("a needle"), tokens(9))
    for child, parent in ((2, 1), (3, 2)):
        spawn: Json = {"parent_thread_id": thread_id(parent), "depth": 1}
        lines = meta(cwd=f"{CWD}/below", source={"subagent": {"thread_spawn": spawn}})
        made.thread(child, lines, named("My thread"), user("child"))
    segment = f"sessions/2027/01/01/rollout-2027-01-01T00-00-00-{thread_id(1)}_{thread_id(9)}.jsonl"
    made.thread(1, meta(cwd=CWD), user("more"), path=segment)
    (made.home / "sessions" / "rollout-broken.jsonl").write_bytes(b"garbage\n")
    entry = {"id": thread_id(1), "thread_name": "one", "updated_at": ""}
    (made.home / "session_index.jsonl").write_text(dumps(entry))
    made.index()
    default = made.root / "user" / ".local" / "state" / "rolloutd" / "state.sqlite"
    default.parent.mkdir(parents=True)
    shutil.copy(made.database, default)
    return made


@pytest.fixture
def connection(place: Place) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{place.database.as_uri()}?mode=ro", uri=True)) as opened:
        yield opened


def run(place: Place, *command: str) -> str:
    """What a program prints that knows nothing but its user's home."""
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], "HOME": str(place.root / "user"), "LANG": "C.UTF-8"},
        cwd=place.root,
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def title(example: Example) -> str:
    return example.title


def test_all_examples_are_found() -> None:
    assert [len(QUERIES), len(PROGRAMS), len(SCRIPTS)] == [11, 3, 2]
    assert {example.title for example in QUERIES} == PLANS.keys()
    assert SCHEMA_PAGE.read_text().count("```") == 2 * 16


@pytest.mark.parametrize("query", QUERIES, ids=title)
def test_a_query_finds_something(connection: sqlite3.Connection, query: Example) -> None:
    assert connection.execute(query.text, VALUES).fetchall()


@pytest.mark.parametrize("query", QUERIES, ids=title)
def test_an_index_serves_a_query(connection: sqlite3.Connection, query: Example) -> None:
    index, sorts = PLANS[query.title]
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query.text}", VALUES)]
    assert any(index in step for step in plan), plan
    for step in plan:
        if re.match(r"(SCAN|SEARCH) (threads|rollouts|thread_\w+)", step):
            assert "USING" in step, plan
    assert sorts or not any("TEMP B-TREE" in step for step in plan), plan


def test_the_children_are_all_generations(connection: sqlite3.Connection) -> None:
    [query] = [each for each in QUERIES if each.title.startswith("Children")]
    found = connection.execute(query.text, VALUES).fetchall()
    assert [row[0] for row in found] == [thread_id(2), thread_id(3)]


@pytest.mark.parametrize("program", PROGRAMS, ids=title)
def test_a_program_runs(place: Place, program: Example) -> None:
    printed = run(place, sys.executable, "-W", "error", "-c", program.text)
    if "changed_threads" in program.text:
        assert set(printed.split()) == {thread_id(number) for number in (1, 2, 3)}
    elif "wait_until_complete" in program.text:
        assert printed == "True\n"
    else:
        assert "9 a needle" in printed


@pytest.mark.parametrize("script", SCRIPTS, ids=title)
def test_a_script_runs(place: Place, script: Example) -> None:
    printed = run(place, "bash", "-euc", script.text)
    if "count(*)" in script.text:
        assert printed == "3\n"
    else:
        with closing(sqlite3.connect(place.root / "copy.sqlite")) as copy:
            assert copy.execute("SELECT count(*) FROM threads").fetchone() == (3,)


def test_every_table_is_described() -> None:
    described = {name for name, text in sections(SCHEMA_PAGE, 3).items() if columns(text)}
    assert described == {table.name for table in TABLES}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_columns_are_those_of_the_schema(table: Table) -> None:
    described = columns(sections(SCHEMA_PAGE, 3)[table.name])
    assert list(described) == list(table.columns)
    assert described == {
        column: (declared.split()[0], "NOT NULL" not in declared)
        for column, declared in table.columns.items()
    }


def test_the_links_lead_somewhere() -> None:
    text = SCHEMA_PAGE.read_text()
    anchors = {name.lower().replace(" ", "-") for name in sections(SCHEMA_PAGE, 2)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= anchors
