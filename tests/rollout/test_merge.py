"""One thread in several files: oldest first, whatever the order in which they were found."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.records import ThreadRecord
from rolloutd.rollout.discovery import discover
from tests.oracle.cases_build import Json, meta, named, rollout, tokens, turn, user
from tests.rollouts import MTIME_NS, OTHER, THIRD, THREAD, goal, merged, own, read, write

BILLION = 1_000_000_000
Lines = tuple[bytes, ...]


def path_of(number: int) -> str:
    name = f"rollout-2026-01-0{number + 1}T03-04-05-{THREAD}_{OTHER}.jsonl"
    return f"sessions/2026/01/0{number + 1}/{name}"


def row_of(home: Path, *files: Lines, session_name: str | None = None) -> ThreadRecord:
    """The record of a thread of several files, each newer than the one before."""
    readings = []
    for number, lines in enumerate(files):
        write(home, rollout(*lines), path_of(number), MTIME_NS + number * BILLION)
        readings.append(read(home, path_of(number)))
    return merged(*readings, session_name=session_name)


def git(**fields: str) -> bytes:
    return meta(git=fields)


def spawn(parent: str) -> bytes:
    source: Json = {"subagent": {"thread_spawn": {"parent_thread_id": parent, "depth": 1}}}
    return meta(source=source)


OLD = meta(timestamp="2025-12-31T00:00:00Z")
SHA, BRANCH = git(commit_hash="abc"), git(commit_hash="def", branch="b")

# column, files, value
RULES: list[tuple[str, tuple[Lines, ...], object]] = [
    ("created_at", ((OLD,), (meta(),)), 1_767_139_200),
    ("created_at", ((meta(),), (OLD,)), 1_767_323_045),
    ("created_at_ms", ((meta(),), (OLD,)), 1_767_323_045_678),
    ("first_user_message", ((meta(), user("a")), (meta(), user("b"))), "a"),
    ("first_user_message", ((meta(),), (meta(), user("b"))), "b"),
    ("first_user_message", ((meta(), user(" ")), (meta(), user("b"))), "b"),
    ("title", ((meta(), user("a")), (meta(), user("b"))), "a"),
    ("title", ((meta(), user("", images=["i"])), (meta(), user("b"))), "b"),
    ("title", ((meta(), user("a"), named("n")), (meta(), user("b"))), "n"),
    ("title", ((meta(), user("a")), (meta(), user("b"), named("n"))), "n"),
    ("title", ((meta(), named("m")), (meta(), named("n")), (meta(), user("b"))), "n"),
    ("name", ((meta(), named("m")), (meta(), named("n")), (meta(),)), "n"),
    ("preview", ((meta(), user("a")), (meta(), user("b"))), "a"),
    ("preview", ((meta(), goal("g")), (meta(), user("b"))), "g"),
    ("preview", ((meta(),), (meta(), user("b"))), "b"),
    ("git_sha", ((meta(),), (SHA,), (BRANCH,)), "abc"),
    ("git_branch", ((meta(),), (SHA,), (BRANCH,)), "b"),
    ("git_origin_url", ((meta(),), (SHA,), (BRANCH,)), None),
    ("git_branch", ((git(branch=""),), (BRANCH,)), ""),
    ("tokens_used", ((meta(), tokens(5)), (meta(), tokens(3))), 3),
    ("tokens_used", ((meta(), tokens(5)), (meta(),)), 5),
    ("tokens_used", ((meta(), tokens(5)), (meta(), tokens(0))), 0),
    ("tokens_used", ((meta(),), (meta(),)), 0),
    ("has_user_event", ((meta(), user()), (meta(),)), True),
    ("source", ((meta(source="exec"),), (meta(source="mcp"),)), "mcp"),
    ("model", ((meta(), turn()), (meta(),)), None),
    ("model", ((meta(), turn()), (meta(), turn(model="m"))), "m"),
    ("sandbox_policy", ((meta(), turn()), (meta(),)), '{"type":"read-only"}'),
    ("approval_mode", ((meta(), turn()), (meta(),)), "on-request"),
    ("cwd", ((meta(cwd="/a"),), (meta(cwd="/b/"),)), "/b"),
    ("cli_version", ((meta(),), (meta(cli_version="9"),)), "9"),
    ("model_provider", ((meta(),), (meta(model_provider="p"),)), "p"),
    ("memory_mode", ((meta(memory_mode="disabled"),), (meta(),)), "enabled"),
    ("memory_mode", ((meta(),), (meta(memory_mode="disabled"),)), "disabled"),
    ("agent_nickname", ((meta(agent_nickname="a"),), (meta(),)), None),
    ("parent_thread_id", ((spawn(OTHER),), (spawn(THIRD),)), OTHER),
    ("parent_thread_id", ((spawn(OTHER),), (meta(),)), OTHER),
    ("rollout_path", ((meta(),), (meta(),)), f"/home/{path_of(1)}"),
    ("updated_at_ms", ((meta(),), (meta(),)), (MTIME_NS + BILLION) // 1_000_000),
]


@pytest.mark.parametrize(("column", "files", "value"), RULES)
def test_each_column_of_several_files(
    home: Path, column: str, files: tuple[Lines, ...], value: object
) -> None:
    assert getattr(row_of(home, *files), column) == value


def test_the_last_file_by_watermark_is_the_last_whatever_its_mtime(home: Path) -> None:
    write(home, rollout(meta(), turn(model="first")), path_of(0), MTIME_NS + BILLION)
    write(home, rollout(meta(), turn(model="last")), path_of(1), MTIME_NS)
    found = merged(read(home, path_of(0)), read(home, path_of(1)))
    assert (found.model, found.updated_at_ms) == ("last", MTIME_NS // 1_000_000)


def test_archived_and_active_files_of_one_thread(home: Path) -> None:
    archived = "archived_sessions/" + path_of(0).rsplit("/", 1)[1]
    for path in (archived, path_of(1)):
        write(home, rollout(meta()), path)
    found = merged(read(home, archived), read(home, path_of(1)))
    assert (found.archived, found.archived_at) == (False, None)


def test_a_name_of_the_session_index_stands_in_for_one_of_the_file(home: Path) -> None:
    assert row_of(home, (meta(),), session_name="index").name == "index"
    assert row_of(home, (meta(), named("own")), session_name="index").name == "own"
    assert row_of(home, (meta(), user("words")), session_name="index").title == "words"
    assert row_of(home, (meta(),)).name is None


def tools(*names: str) -> bytes:
    return meta(dynamic_tools=[{"name": n, "description": "", "inputSchema": {}} for n in names])


def test_a_later_files_tools_only_add_to_the_earlier_ones(home: Path) -> None:
    found = row_of(home, (tools("a"),), (tools("x", "b", "c"),), (tools(),), (tools("y"),))
    assert [tool.name for tool in found.dynamic_tools] == ["a", "b", "c"]


def test_every_file_must_be_given_in_order(home: Path) -> None:
    # Otherwise the next test could not fail.
    one = row_of(home, (meta(), user("a")), (meta(), user("b")))
    other = row_of(home, (meta(), user("b")), (meta(), user("a")))
    assert one.title != other.title


FILES = [
    rollout(OLD, user("", images=["i"]), tokens(5)),
    rollout(spawn(OTHER), user("b"), named("n")),
    rollout(BRANCH, turn(), tools("a")),
    rollout(SHA, user("c"), turn(model="m"), goal("g")),
    rollout(meta(memory_mode="disabled"), tokens(1)),
]


@given(st.permutations(range(len(FILES))))
def test_the_order_of_writing_and_finding_does_not_matter(home: Path, order: list[int]) -> None:
    for number in range(len(FILES)):
        (home / path_of(number)).unlink(missing_ok=True)
    for number in order:
        write(home, FILES[number], path_of(number))
    found = merged(*(read(home, candidate.path) for candidate in discover(home).candidates))
    straight = merged(*(read(home, path_of(number)) for number in range(len(FILES))))
    assert found == straight
    assert (found.title, found.first_user_message, found.tokens_used) == ("n", "[Image]", 1)
    assert own(b"@id@").decode() == found.id
