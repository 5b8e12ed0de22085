"""Dynamic tools of a session_meta."""

import msgspec
import pytest
from msgspec import Raw

from rolloutd.records import DynamicTool
from rolloutd.rollout.tools import dynamic_tools

BASE = '"name":"n","description":"d"'


def tool(rest: str) -> str:
    return "{" + BASE + "," + rest + "}"


def tools_of(text: str) -> list[DynamicTool]:
    return dynamic_tools(Raw(text.encode()))


@pytest.mark.parametrize("text", ["", "null", "[]", " [ ] "])
def test_nothing_is_no_tools(text: str) -> None:
    assert tools_of(text) == []


def test_tools_keep_their_order_and_may_share_a_name() -> None:
    first, second = tool('"inputSchema":1'), tool('"inputSchema":2')
    assert [each.input_schema for each in tools_of(f"[{second},{first}]")] == ["2", "1"]


def test_a_tool_with_all_there_is() -> None:
    (found,) = tools_of(
        "[" + tool('"namespace":"s","deferLoading":true,"inputSchema":{},"x":1') + "]"
    )
    assert found == DynamicTool("n", "d", "{}", defer_loading=True, namespace="s")


@pytest.mark.parametrize(
    ("fields", "deferred"),
    [
        ("", False),
        ('"deferLoading":true,', True),
        ('"deferLoading":false,', False),
        ('"deferLoading":null,', False),
        ('"exposeToContext":false,', True),
        ('"exposeToContext":true,', False),
        ('"exposeToContext":null,', False),
        ('"deferLoading":false,"exposeToContext":false,', False),
        ('"deferLoading":true,"exposeToContext":true,', True),
        ('"deferLoading":null,"exposeToContext":false,', True),
        ('"defer_loading":true,', False),
    ],
)
def test_what_is_deferred(fields: str, deferred: bool) -> None:  # noqa: FBT001
    (found,) = tools_of("[" + tool(fields + '"inputSchema":{}') + "]")
    assert found.defer_loading is deferred


@pytest.mark.parametrize(
    ("schema", "stored"),
    [
        ("null", "null"),
        ("true", "true"),
        ('"x"', '"x"'),
        (' { "b" : 1 , "a" : [ ] } ', '{"b":1,"a":[]}'),
        ('{"b":1,"a":2,"b":3}', '{"b":3,"a":2}'),
        ("1.0", "1.0"),
        ("1e3", "1000.0"),
        ("0.10", "0.1"),
        ("1E-7", "1e-7"),
        ("1e15", "1000000000000000.0"),
        ("1e16", "1e+16"),
        ("1.5e300", "1.5e+300"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("-18446744073709551616", "-1.8446744073709552e+19"),
        ("-0", "-0.0"),
        ("1e400", "1e400"),
        ("9" * 400, "9" * 400),
        ('"\\u00e9\\u2028\\u007f"', '"é\u2028\x7f"'),
        ('{"a":[1e16,{"b":1e20}]}', '{"a":[1e+16,{"b":1e+20}]}'),
    ],
)
def test_input_schemas_are_stored_as_codex_writes_them(schema: str, stored: str) -> None:
    (found,) = tools_of("[" + tool(f'"inputSchema":{schema}') + "]")
    assert found.input_schema == stored


def test_tools_in_a_namespace_are_listed_under_its_name() -> None:
    group = '{"type":"namespace","name":"g","description":"","tools":[%s,%s]}' % (  # noqa: UP031
        tool('"type":"function","inputSchema":{}'),
        tool('"type":"function","inputSchema":{},"namespace":"own"'),
    )
    assert [each.namespace for each in tools_of(f"[{group}]")] == ["g", "own"]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '"x"',
        "[null]",
        "[1]",
        "[{}]",
        "[{" + BASE + "}]",
        '[{"name":"n","inputSchema":{}}]',
        "[" + tool('"input_schema":{}') + "]",
        "[" + tool('"inputSchema":{},"deferLoading":1') + "]",
        "[" + tool('"inputSchema":{},"namespace":1') + "]",
        "[" + tool('"inputSchema":{}') + ",null]",
        "[" + tool('"inputSchema":"\\ud83d"') + "]",
    ],
)
def test_one_bad_entry_spoils_the_list(text: str) -> None:
    with pytest.raises((ValueError, msgspec.MsgspecError)):
        tools_of(text)
