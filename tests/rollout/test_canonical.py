"""Canonical texts: the forms in which Codex stores sources, policies and paths."""

import json
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout.canonical import (
    agent_path,
    approval_text,
    compact,
    normalise_path,
    sandbox_text,
    source_text,
)
from tests.rollouts import OTHER

SPAWN_NULLS = '"agent_path":null,"agent_nickname":null,"agent_role":null'


def spawn(**fields: object) -> dict[str, object]:
    base = {"parent_thread_id": OTHER, "depth": 1}
    return {"subagent": {"thread_spawn": {**base, **fields}}}


def spawned(rest: str, depth: int = 1) -> str:
    inner = f'"parent_thread_id":"{OTHER}","depth":{depth},{rest}'
    return '{"subagent":{"thread_spawn":{' + inner + "}}}"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("cli", "cli"),
        ("vscode", "vscode"),
        ("exec", "exec"),
        ("mcp", "mcp"),
        ("unknown", "unknown"),
        ("", "unknown"),
        ("Cli", "unknown"),
        ("appServer", "unknown"),
        ({"cli": None}, "cli"),
        ({"custom": "my-app"}, '{"custom":"my-app"}'),
        ({"custom": ""}, '{"custom":""}'),
        ({"custom": 'é"\\\n/'}, '{"custom":"é\\"\\\\\\n/"}'),
        ({"internal": "memory_consolidation"}, '{"internal":"memory_consolidation"}'),
        ({"subagent": "review"}, '{"subagent":"review"}'),
        ({"subagent": {"review": None}}, '{"subagent":"review"}'),
        ({"subagent": {"other": "guardian"}}, '{"subagent":{"other":"guardian"}}'),
        ({"subagent": "future"}, '{"subagent":"future"}'),
        ({"future": {"b": 1, "a": 2}}, '{"future":{"b":1,"a":2}}'),
    ],
)
def test_sources(source: object, text: str) -> None:
    assert source_text(source) == (text, None)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (spawn(), spawned(SPAWN_NULLS)),
        (spawn(depth=-1, future=1), spawned(SPAWN_NULLS, -1)),
        (spawn(parent_thread_id=OTHER.upper()), spawned(SPAWN_NULLS)),
        (spawn(parent_thread_id=OTHER.replace("-", "")), spawned(SPAWN_NULLS)),
        (
            spawn(agent_role="explorer", agent_nickname="Tesla", agent_path="/root/a_1/b"),
            spawned('"agent_path":"/root/a_1/b","agent_nickname":"Tesla","agent_role":"explorer"'),
        ),
        (spawn(agent_type="x"), spawned(SPAWN_NULLS.replace('role":null', 'role":"x"'))),
    ],
)
def test_a_thread_spawn_has_all_fields_in_their_order_and_names_the_parent(
    source: object, text: str
) -> None:
    assert source_text(source) == (text, OTHER)


@pytest.mark.parametrize(
    "source",
    [
        None,
        1,
        True,
        [],
        {},
        {"cli": None, "exec": None},
        "custom",
        "subagent",
        "internal",
        {"custom": None},
        {"custom": 1},
        {"subagent": None},
        {"subagent": {}},
        {"subagent": {"other": None}},
        {"subagent": {"thread_spawn": None}},
        {"subagent": {"thread_spawn": {}}},
        spawn(parent_thread_id="x"),
        spawn(parent_thread_id=None),
        spawn(depth="1"),
        spawn(depth=1.0),
        spawn(depth=True),
        spawn(depth=2**31),
        spawn(agent_path="/other"),
        spawn(agent_path="/root/A"),
        spawn(agent_path="/root/"),
        spawn(agent_nickname=1),
        spawn(agent_role="x", agent_type="x"),
    ],
    ids=repr,
)
def test_what_is_no_source(source: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        source_text(source)


WORKSPACE = '"network_access":false,"exclude_tmpdir_env_var":false,"exclude_slash_tmp":false'


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ({"type": "danger-full-access", "x": 1}, '{"type":"danger-full-access"}'),
        ({"type": "read-only"}, '{"type":"read-only"}'),
        ({"type": "read-only", "network_access": False}, '{"type":"read-only"}'),
        (
            {"network_access": True, "type": "read-only", "access": {}},
            '{"type":"read-only","network_access":true}',
        ),
        ({"type": "workspace-write"}, '{"type":"workspace-write",' + WORKSPACE + "}"),
        (
            {"type": "workspace-write", "writable_roots": []},
            '{"type":"workspace-write",' + WORKSPACE + "}",
        ),
        (
            {
                "exclude_slash_tmp": True,
                "writable_roots": ["/a/../b/./c/"],
                "type": "workspace-write",
            },
            '{"type":"workspace-write","writable_roots":["/b/c"],'
            + WORKSPACE.replace('slash_tmp":false', 'slash_tmp":true')
            + "}",
        ),
        (
            {"type": "external-sandbox"},
            '{"type":"external-sandbox","network_access":"restricted"}',
        ),
        (
            {"type": "external-sandbox", "network_access": "enabled"},
            '{"type":"external-sandbox","network_access":"enabled"}',
        ),
        ({"mode": "read-only"}, '{"type":"read-only"}'),
        ({"mode": "workspace-write"}, '{"type":"workspace-write",' + WORKSPACE + "}"),
        ({"b": 1, "type": "future", "a": 2}, '{"type":"future","b":1,"a":2}'),
    ],
)
def test_sandbox_policies(policy: object, text: str) -> None:
    assert sandbox_text(policy) == text


@pytest.mark.parametrize(
    "policy",
    [
        None,
        "read-only",
        [],
        {},
        {"type": None},
        {"type": 1},
        {"type": "read-only", "network_access": None},
        {"type": "read-only", "network_access": "x"},
        {"type": "workspace-write", "writable_roots": None},
        {"type": "workspace-write", "writable_roots": ["a"]},
        {"type": "workspace-write", "writable_roots": ["~/x"]},
        {"type": "workspace-write", "writable_roots": ["file:///a"]},
        {"type": "workspace-write", "writable_roots": [1]},
        {"type": "workspace-write", "exclude_slash_tmp": None},
        {"type": "external-sandbox", "network_access": True},
    ],
    ids=repr,
)
def test_what_is_no_sandbox_policy(policy: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        sandbox_text(policy)


GRANULAR = (
    '{"granular":{"sandbox_approval":true,"rules":false,"skill_approval":%s,'
    '"request_permissions":%s,"mcp_elicitations":true}}'
)
GRANTED = {"sandbox_approval": True, "rules": False, "mcp_elicitations": True}


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        *((word, word) for word in ("untrusted", "on-failure", "on-request", "never", "future")),
        ({"never": None}, "never"),
        (
            {"granular": {**GRANTED, "x": 1}},
            GRANULAR % ("false", "false"),
        ),
        (
            {"granular": {"request_permissions": True, "skill_approval": True, **GRANTED}},
            GRANULAR % ("true", "true"),
        ),
    ],
)
def test_approval_policies(policy: object, text: str) -> None:
    assert approval_text(policy) == text


@pytest.mark.parametrize(
    "policy",
    [
        None,
        1,
        [],
        {},
        "",
        "granular",
        {"granular": None},
        {"granular": {}},
        {"granular": {**GRANTED, "rules": None}},
        {"granular": {**GRANTED, "skill_approval": 1}},
        {"never": None, "untrusted": None},
    ],
    ids=repr,
)
def test_what_is_no_approval_policy(policy: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        approval_text(policy)


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("", ""),
        ("/", "/"),
        ("//", "/"),
        ("///a", "/a"),
        ("//a", "/a"),
        ("/a/b/", "/a/b"),
        ("/a/./b/.", "/a/b"),
        ("/a//b", "/a/b"),
        ("/a/../b", "/b"),
        ("/..", "/"),
        ("/../../a", "/a"),
        ("a/b/..", "a"),
        (".", "."),
        ("../a", "../a"),
        (" /a ", " /a "),
        ("~/x", "~/x"),
        ("C:\\a\\..\\b", "C:\\a\\..\\b"),
        ("/a\n//b", "/a\n/b"),
        ("a\n//b", "a\n/b"),
    ],
)
def test_paths_are_normalised_lexically(path: str, normal: str) -> None:
    assert normalise_path(path) == normal


@given(st.lists(st.sampled_from(["/", "//", ".", "..", "a", "é", " ", "\n"])).map("".join))
def test_a_normal_path_is_the_same_place_and_stays_as_it_is(path: str) -> None:
    normal = normalise_path(path)
    assert normalise_path(normal) == normal
    assert normal.startswith("/") == path.startswith("/")
    assert "//" not in normal
    if path:
        assert posixpath.normpath(path).lstrip("/") == normal.lstrip("/")


@pytest.mark.parametrize("path", [None, "/root", "/root/a", "/root/a_1/b"])
def test_agent_paths(path: str | None) -> None:
    assert agent_path(path) == path


@pytest.mark.parametrize("path", ["", "root", "/", "/root/", "/root//a", "/root/a-b", "/rooted"])
def test_what_is_no_agent_path(path: str) -> None:
    with pytest.raises(ValueError, match="/root"):
        agent_path(path)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.text(st.characters(codec="utf-8"), max_size=5),
        lambda values: (
            st.lists(values, max_size=3)
            | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=3), values, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_compact_json_means_the_same_and_wastes_nothing(value: object) -> None:
    text = compact(value)
    assert json.loads(text) == value
    dense = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    assert len(text) <= len(dense)


def test_compact_json_keeps_the_order_of_keys_and_characters_as_they_are() -> None:
    assert compact({"b": "é\u2028\x7f/", "a": "\x01"}) == '{"b":"é\u2028\x7f/","a":"\\u0001"}'
