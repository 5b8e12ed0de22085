"""What the lines of one file make of its thread's row: rollouts.md, column by column."""

from pathlib import Path
from typing import TypeAlias

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout.fold import fold, new_summary
from rolloutd.rollout.items import InvalidLine, decode
from tests.oracle.cases_build import (
    Json,
    event,
    line,
    meta,
    named,
    rollout,
    tokens,
    turn,
    usage,
    user,
)
from tests.rollouts import (
    ARCHIVED,
    HEADER_020,
    MTIME_NS,
    OTHER,
    PATH,
    PROVIDER,
    THREAD,
    applied,
    goal,
    merged,
    own,
    read,
    read_lines,
    row,
    write,
)

Lines: TypeAlias = list[bytes]
NAME_TIME_MS = 1_767_323_045_000
META_TIME_MS = NAME_TIME_MS + 678
WORKSPACE = (
    '{"type":"workspace-write","network_access":false,'
    '"exclude_tmpdir_env_var":false,"exclude_slash_tmp":false}'
)
GRANULAR = (
    '{"granular":{"sandbox_approval":true,"rules":true,"skill_approval":false,'
    '"request_permissions":false,"mcp_elicitations":true}}'
)
GIT: Json = {"commit_hash": "abc", "branch": "main", "repository_url": "git@x"}
FORK = meta(
    id="@other@",
    cwd="/parent",
    source="exec",
    originator="parent",
    model_provider="parent",
    cli_version="0.1.0",
    git=GIT,
    agent_nickname="parent",
)


def completed(*content: Json, kind: str = "UserMessage") -> bytes:
    item: Json = {"type": kind, "id": "i", "content": list(content)}
    return event("item_completed", thread_id="@id@", turn_id="t", item=item)


def text(words: str) -> Json:
    return {"type": "text", "text": words, "text_elements": []}


def spawn(parent: str) -> Json:
    return {"subagent": {"thread_spawn": {"parent_thread_id": parent, "depth": 1}}}


# column, lines, value
RULES: list[tuple[str, Lines, object]] = [
    ("id", [meta()], THREAD),
    ("id", [meta(id="@ID@")], THREAD),
    ("id", [meta(id="@hex@")], THREAD),
    ("id", [meta(id="{@id@}")], THREAD),
    ("id", [meta(id="@other@")], OTHER),
    ("id", [meta(id="@other@"), meta()], OTHER),
    ("id", [meta(), meta(id="@other@")], THREAD),
    ("id", [turn(), user(), meta(id="@other@")], OTHER),
    ("id", [meta(id="@other@", timestamp="odd")], THREAD),
    ("id", [meta(id="@other@", cwd=...), meta()], THREAD),
    ("id", [meta(id="no uuid"), meta(id="@other@")], OTHER),
    ("id", [user()], THREAD),
    ("created_at_ms", [meta()], META_TIME_MS),
    ("created_at_ms", [meta(timestamp="2026-01-02T04:04:05.6789+01:00")], META_TIME_MS),
    ("created_at_ms", [meta(timestamp="2026-01-02T03-04-06")], NAME_TIME_MS + 1000),
    ("created_at_ms", [meta(timestamp="2019-05-06T07:08:09.5Z")], 1_557_126_489_500),
    ("created_at_ms", [meta(timestamp="1969-12-31T23:59:59.5Z")], -500),
    ("created_at_ms", [meta(timestamp="odd")], NAME_TIME_MS),
    ("created_at_ms", [meta(timestamp="")], NAME_TIME_MS),
    ("created_at_ms", [meta(), meta(timestamp="2020-01-01T00:00:00Z")], META_TIME_MS),
    ("created_at_ms", [user()], NAME_TIME_MS),
    ("created_at", [meta(timestamp="1969-12-31T23:59:59.5Z")], -1),
    ("created_at", [meta()], META_TIME_MS // 1000),
    ("source", [meta(source=...)], "vscode"),
    ("source", [meta(source="exec")], "exec"),
    ("source", [meta(source="future")], "unknown"),
    ("source", [meta(source={"custom": "my-app"})], '{"custom":"my-app"}'),
    ("source", [meta(source={"subagent": "review"})], '{"subagent":"review"}'),
    ("source", [meta(source={"future": 1})], '{"future":1}'),
    ("source", [meta(), meta(source="exec")], "exec"),
    ("source", [meta(source="exec"), meta(source=...)], "vscode"),
    ("source", [meta(), FORK], "cli"),
    ("source", [user()], "vscode"),
    ("model_provider", [meta()], "openai"),
    ("model_provider", [meta(model_provider=...)], PROVIDER),
    ("model_provider", [meta(model_provider=None)], PROVIDER),
    ("model_provider", [meta(model_provider="")], PROVIDER),
    ("model_provider", [meta(), meta(model_provider="p")], "p"),
    ("model_provider", [meta(), meta(model_provider=...)], "openai"),
    ("model_provider", [meta(), FORK], "openai"),
    ("model_provider", [meta(), applied()], "applied"),
    ("model_provider", [meta(), applied(model_provider_id="")], PROVIDER),
    ("model_provider", [meta(), applied(), meta(model_provider="p")], "p"),
    ("cwd", [meta(cwd="/a/./b/../c//d/")], "/a/c/d"),
    ("cwd", [meta(cwd=""), turn(cwd="/t/"), turn(cwd="/u")], "/t"),
    ("cwd", [meta(cwd=""), turn(cwd="rel/./x")], "rel/x"),
    ("cwd", [turn(cwd="/t"), meta(cwd="/m")], "/m"),
    ("cwd", [meta(), turn(cwd="/t")], "/work"),
    ("cwd", [meta(), meta(cwd="/later")], "/later"),
    ("cwd", [meta(), meta(cwd="")], "/work"),
    ("cwd", [meta(), FORK], "/work"),
    ("cwd", [meta(cwd="relative/.")], "relative"),
    ("cwd", [meta(cwd="")], ""),
    ("cwd", [meta(), applied()], "/applied/x"),
    ("cwd", [meta(), applied(), turn(cwd="/t")], "/applied/x"),
    ("cwd", [meta(), applied(cwd="relative")], "/work"),
    ("cli_version", [meta()], "0.130.0"),
    ("cli_version", [meta(), meta(cli_version="0.2.0")], "0.2.0"),
    ("cli_version", [meta(), meta(cli_version="")], "0.130.0"),
    ("cli_version", [meta(), FORK], "0.130.0"),
    ("cli_version", [user()], ""),
    ("originator", [meta()], "codex_cli_rs"),
    ("originator", [meta(originator="")], None),
    ("originator", [user()], None),
    ("originator", [meta(), FORK], "codex_cli_rs"),
    ("thread_source", [meta()], None),
    ("thread_source", [meta(thread_source="user")], "user"),
    ("thread_source", [meta(thread_source="user"), meta(thread_source="subagent")], "subagent"),
    ("thread_source", [meta(thread_source="user"), meta()], None),
    ("history_mode", [meta()], "legacy"),
    ("history_mode", [meta(history_mode="paginated")], "paginated"),
    ("history_mode", [meta(history_mode="paginated"), FORK], "paginated"),
    ("history_mode", [user()], "legacy"),
    ("agent_nickname", [meta(agent_nickname="Tesla")], "Tesla"),
    ("agent_nickname", [meta(agent_nickname="Tesla"), meta()], None),
    ("agent_nickname", [meta(), FORK], None),
    ("agent_nickname", [meta(source=spawn("@other@"))], None),
    ("agent_role", [meta(agent_role="explorer")], "explorer"),
    ("agent_role", [meta(agent_type="explorer")], "explorer"),
    ("agent_path", [meta(agent_path="/root/a")], "/root/a"),
    ("parent_thread_id", [meta(source=spawn("@OTHER@"))], OTHER),
    ("parent_thread_id", [meta(), meta(source=spawn("@other@"))], OTHER),
    ("parent_thread_id", [meta(source=spawn("@other@")), meta()], None),
    ("git_sha", [meta(git=GIT)], "abc"),
    ("git_branch", [meta(git=GIT)], "main"),
    ("git_origin_url", [meta(git=GIT)], "git@x"),
    ("git_branch", [meta()], None),
    ("git_branch", [meta(git=GIT), meta()], "main"),
    ("git_branch", [meta(git=GIT), meta(git=None)], "main"),
    ("git_branch", [meta(git=GIT), meta(git={"branch": "b"})], "b"),
    ("git_branch", [meta(), FORK], None),
    ("model", [meta()], None),
    ("model", [turn(model="a"), meta(), turn(model="b")], "b"),
    ("model", [meta(), turn(), applied()], "applied-model"),
    ("model", [meta(), applied(), turn(model="b")], "b"),
    ("reasoning_effort", [meta(), turn()], "high"),
    ("reasoning_effort", [meta(), turn(effort="ultra")], "ultra"),
    ("reasoning_effort", [meta(), turn(), turn(effort=None)], None),
    ("reasoning_effort", [meta(), turn(), turn(effort=...)], None),
    ("reasoning_effort", [meta(), turn(), turn(effort="")], "high"),
    ("reasoning_effort", [meta(), turn(), applied(reasoning_effort="low")], "low"),
    ("reasoning_effort", [meta(), turn(), applied()], None),
    ("sandbox_policy", [meta()], '{"type":"read-only"}'),
    ("sandbox_policy", [meta(), turn()], '{"type":"danger-full-access"}'),
    ("sandbox_policy", [meta(), turn(sandbox_policy={"type": "workspace-write"})], WORKSPACE),
    ("sandbox_policy", [meta(), turn(sandbox_policy={"mode": "workspace-write"})], WORKSPACE),
    ("sandbox_policy", [meta(), turn(), turn(sandbox_policy="x")], '{"type":"danger-full-access"}'),
    (
        "sandbox_policy",
        [meta(), turn(sandbox_policy=..., permission_profile={"type": "disabled", "x": 1})],
        '{"type":"disabled"}',
    ),
    (
        "sandbox_policy",
        [meta(), turn(permission_profile={"type": "disabled"})],
        '{"type":"danger-full-access"}',
    ),
    ("approval_mode", [meta()], "on-request"),
    ("approval_mode", [meta(), turn()], "never"),
    ("approval_mode", [meta(), turn(approval_policy="on-failure")], "on-failure"),
    ("approval_mode", [meta(), turn(), turn(approval_policy=1)], "never"),
    ("approval_mode", [meta(), turn(), applied()], "untrusted"),
    (
        "approval_mode",
        [
            meta(),
            turn(
                approval_policy={
                    "granular": {"sandbox_approval": True, "rules": True, "mcp_elicitations": True}
                }
            ),
        ],
        GRANULAR,
    ),
    ("model", [meta(), turn(summary=..., turn_id=..., cwd="relative")], "gpt-5"),
    ("tokens_used", [meta()], 0),
    ("tokens_used", [meta(), tokens(42)], 42),
    ("tokens_used", [meta(), tokens(42), tokens(7)], 7),
    ("tokens_used", [meta(), tokens(-5)], 0),
    ("tokens_used", [meta(), tokens(2**63 - 1)], 2**63 - 1),
    ("tokens_used", [meta(), tokens(42), tokens(2**63)], 42),
    ("tokens_used", [meta(), tokens(42), event("token_count", info=None)], 42),
    ("tokens_used", [meta(), tokens(42), event("token_count")], 42),
    (
        "tokens_used",
        [meta(), tokens(42), event("token_count", info={"total_token_usage": usage(9)})],
        42,
    ),
    ("first_user_message", [meta()], ""),
    ("first_user_message", [meta(), user("one"), user("two")], "one"),
    ("first_user_message", [user("before"), meta()], "before"),
    ("first_user_message", [meta(), user(" \u3000a\nb\t")], "a\nb"),
    ("first_user_message", [meta(), user("\x1c\u200ba\x1f")], "\x1c\u200ba\x1f"),
    ("first_user_message", [meta(), user("x ## My request for Codex:\n y \n")], "y"),
    (
        "first_user_message",
        [meta(), user("## My request for Codex: a ## My request for Codex: b")],
        "a ## My request for Codex: b",
    ),
    (
        "first_user_message",
        [meta(), user("x ## my request for codex: y")],
        "x ## my request for codex: y",
    ),
    ("first_user_message", [meta(), user(" "), user("two")], "two"),
    ("first_user_message", [meta(), user(" ", images=["i"]), user("two")], "[Image]"),
    ("first_user_message", [meta(), user("", local_images=["i"])], "[Image]"),
    ("first_user_message", [meta(), user("words", images=["i"])], "words"),
    ("first_user_message", [meta(), user("", images=[])], ""),
    ("first_user_message", [meta(), user("x" * 100_000)], "x" * 100_000),
    ("first_user_message", [meta(), completed(text("a"), text("b"))], "ab"),
    ("first_user_message", [meta(), completed({"type": "image", "image_url": "u"})], "[Image]"),
    ("first_user_message", [meta(), completed({"type": "local_image", "path": "/p"})], "[Image]"),
    ("first_user_message", [meta(), completed(text("a"), {"type": "image"})], "a"),
    ("first_user_message", [meta(), completed(text("x"), kind="AgentMessage")], ""),
    ("first_user_message", [meta(), completed(text("one")), user("two")], "one"),
    (
        "first_user_message",
        [
            meta(),
            line(
                "response_item",
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "x"}],
                },
            ),
        ],
        "",
    ),
    ("title", [meta(), user("one"), user("two")], "one"),
    ("title", [meta(), user("", images=["i"]), user("words")], "words"),
    ("title", [meta(), user("", images=["i"])], ""),
    ("title", [meta(), user("one"), named("name")], "name"),
    ("title", [meta(), named("name"), user("one")], "name"),
    ("title", [meta(), named("a"), named("b")], "b"),
    ("title", [meta(), named("a"), named(" ")], "a"),
    ("title", [meta(), user("one"), named(None)], "one"),
    ("title", [meta(), user("one"), named(" ")], "one"),
    ("name", [meta(), user("one")], None),
    ("name", [meta(), named("a"), named("b")], "b"),
    ("preview", [meta(), user("one")], "one"),
    ("preview", [meta(), user("", images=["i"])], "[Image]"),
    ("preview", [meta(), goal(" aim "), user("one")], "aim"),
    ("preview", [meta(), user("one"), goal("aim")], "one"),
    ("preview", [meta(), goal(" "), user("one")], "one"),
    ("first_user_message", [meta(), goal("aim"), user("one")], "one"),
    ("has_user_event", [meta(), turn()], False),
    ("has_user_event", [meta(), user()], True),
    ("has_user_event", [meta(), completed(text("x"))], True),
    ("memory_mode", [meta()], "enabled"),
    ("memory_mode", [meta(memory_mode="disabled")], "disabled"),
    ("memory_mode", [meta(memory_mode="disabled"), meta(memory_mode="polluted")], "polluted"),
    ("memory_mode", [meta(memory_mode="disabled"), meta(memory_mode=None)], "disabled"),
    ("memory_mode", [meta(), meta(id="@other@", memory_mode="disabled")], "disabled"),
    ("archived", [meta()], False),
    ("archived_at", [meta()], None),
    ("rollout_path", [meta()], f"/home/{PATH}"),
    ("updated_at_ms", [meta()], MTIME_NS // 1_000_000),
    ("updated_at", [meta()], MTIME_NS // 1_000_000_000),
    ("recency_at_ms", [meta()], MTIME_NS // 1_000_000),
    ("recency_at", [meta()], MTIME_NS // 1_000_000_000),
]


@pytest.mark.parametrize(("column", "lines", "value"), RULES)
def test_each_column_of_a_row(home: Path, column: str, lines: Lines, value: object) -> None:
    assert getattr(row(home, *lines), column) == value


def test_an_archived_rollout(home: Path) -> None:
    found = row(home, meta(), path=ARCHIVED)
    assert (found.archived, found.archived_at) == (True, MTIME_NS // 1_000_000_000)
    assert found.rollout_path == f"/home/{ARCHIVED}"


@pytest.mark.parametrize("mtime_ns", [0, -1_500_000_000, 1_000_000_999_999_999, 2**62])
def test_times_of_the_file_are_floored(home: Path, mtime_ns: int) -> None:
    write(home, rollout(meta()), ARCHIVED, mtime_ns)
    found = merged(read(home, ARCHIVED))
    assert found.updated_at_ms == found.recency_at_ms == mtime_ns // 1_000_000
    assert found.updated_at == found.recency_at == found.archived_at == mtime_ns // 10**9


# Items that contradict themselves: well formed, yet not such as Codex would take.
REFUSED = [
    meta(id="no uuid", memory_mode="x"),
    meta(source=None, memory_mode="x"),
    meta(source="custom", cwd="/x"),
    meta(source={}, cwd="/x"),
    meta(agent_role="a", agent_type="b", cwd="/x"),
    meta(dynamic_tools=[{"name": "a"}], cwd="/x"),
    meta(dynamic_tools={}, memory_mode="x"),
    turn(sandbox_policy=None, model="x"),
    turn(sandbox_policy=..., model="x"),
    turn(approval_policy="", model="x"),
    turn(effort="", model="x"),
    applied(approval_policy=None),
    applied(cwd="relative"),
]


@pytest.mark.parametrize("refused", REFUSED)
def test_a_refused_item_changes_nothing(refused: bytes) -> None:
    summary = new_summary(PATH)
    for good in (meta(git=GIT), turn(), user(), tokens(3)):
        item = decode(memoryview(own(good)))
        assert item is not None
        fold(summary, item)
    before = msgspec.json.encode(summary)
    item = decode(memoryview(own(refused)))
    assert item is not None
    with pytest.raises(InvalidLine):
        fold(summary, item)
    assert msgspec.json.encode(summary) == before


def test_a_file_name_tells_id_and_time_before_the_first_line() -> None:
    summary = new_summary(PATH)
    assert (summary.thread_id, summary.created_at_ms) == (THREAD, NAME_TIME_MS)
    assert new_summary("sessions/rollout-x.jsonl").thread_id is None


TOOLS: Json = [
    {"name": "a", "description": "d", "inputSchema": {"b": 1, "a": 2}},
    {"name": "b", "description": "e", "inputSchema": None, "namespace": "n", "deferLoading": True},
]


def tool_names(home: Path, *lines: bytes) -> list[str]:
    return [tool.name for tool in row(home, *lines).dynamic_tools]


def test_dynamic_tools_are_those_of_the_first_session_meta(home: Path) -> None:
    one: Json = [{"name": "z", "description": "", "inputSchema": {}}]
    assert tool_names(home, meta(dynamic_tools=TOOLS)) == ["a", "b"]
    assert tool_names(home, user(), meta(dynamic_tools=TOOLS), meta(dynamic_tools=one)) == [
        "a",
        "b",
    ]
    assert tool_names(home, meta(dynamic_tools=TOOLS), meta(dynamic_tools=[])) == ["a", "b"]
    assert tool_names(home, meta(), meta(dynamic_tools=TOOLS)) == []
    assert tool_names(home, meta(), meta(id="@other@", dynamic_tools=TOOLS)) == []


@pytest.mark.parametrize("none", [..., None, []], ids=repr)
def test_no_dynamic_tools(home: Path, none: None) -> None:
    assert tool_names(home, meta(dynamic_tools=none)) == []


# --- Rollouts of mid-2025 ---------------------------------------------------------------------


def said(words: str, role: str = "user") -> bytes:
    kind = "input_text" if role == "user" else "output_text"
    content = [{"type": kind, "text": words}]
    return msgspec.json.encode({"type": "message", "role": role, "content": content})


STATE = b'{"record_type":"state"}'
CONTEXT = said("<environment_context>\n  <cwd>/x</cwd>\n</environment_context>")


def test_a_legacy_rollout_has_a_row(home: Path) -> None:
    found = row(
        home, HEADER_020, STATE, CONTEXT, said("hi", "assistant"), said(" hello "), said("x")
    )
    assert (found.id, found.created_at_ms) == (THREAD, 1_754_013_784_567)
    assert (found.first_user_message, found.title, found.preview) == ("hello",) * 3
    assert (found.git_sha, found.git_branch, found.git_origin_url) == ("abc", "main", "u")
    assert (found.source, found.model_provider, found.cli_version) == ("vscode", PROVIDER, "")
    assert (found.has_user_event, found.tokens_used, found.cwd) == (True, 0, "")


@pytest.mark.parametrize(
    "injected",
    [
        "<environment_context>x",
        "<user_instructions>x",
        "# AGENTS.md instructions",
        "\n <environment_context>x",
    ],
)
def test_injected_context_is_no_user_message(home: Path, injected: str) -> None:
    found = row(home, HEADER_020, said(injected), said("real"))
    assert found.first_user_message == "real"
    alone = row(home, HEADER_020, said(injected))
    assert (alone.first_user_message, alone.has_user_event) == ("", False)


def test_lines_of_a_legacy_rollout_are_no_errors_and_others_are(home: Path) -> None:
    reading = read_lines(home, HEADER_020, b"", STATE, said("x"), b"{}", b"garbage", said("y"))
    assert reading.summary.parse_errors == {"not_an_item": 1, "invalid_json": 1}
    assert (reading.summary.items, reading.summary.lines) == (4, 7)


def test_a_legacy_header_with_a_bad_time_leaves_it_to_the_name(home: Path) -> None:
    found = row(home, HEADER_020.replace(b"2025-08-01T02:03:04.567Z", b"odd"), said("x"))
    assert (found.id, found.created_at_ms) == (THREAD, NAME_TIME_MS)


def test_a_legacy_header_counts_only_as_the_first_line(home: Path) -> None:
    assert read_lines(home, b"", HEADER_020, said("x")).summary.legacy
    for lines in ([meta(), HEADER_020], [b"garbage", HEADER_020], [user(), HEADER_020, said("x")]):
        summary = read_lines(home, *lines).summary
        assert not summary.legacy
        assert summary.parse_errors != {}


# --- Summaries travel through the database ------------------------------------------------------

ITEMS = [meta(), FORK, meta(dynamic_tools=TOOLS, git=GIT, source=spawn("@other@")), turn(), user()]
ITEMS += [user("", images=["i"]), tokens(5), named("n"), goal("g"), applied(), completed(text("c"))]
ITEMS += [HEADER_020, said("x"), b"garbage", b"\xff"]


@given(st.lists(st.sampled_from(ITEMS), max_size=6))
def test_a_summary_survives_json(home: Path, lines: Lines) -> None:
    summary = read_lines(home, *lines).summary
    assert msgspec.json.decode(msgspec.json.encode(summary), type=type(summary)) == summary
