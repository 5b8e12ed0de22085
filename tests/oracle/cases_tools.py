"""session_meta.dynamic_tools."""

from .cases_build import Case, Json, case, meta, turn, user

TOOLS = "rollouts.md: thread_dynamic_tools"
TOOL: dict[str, Json] = {"name": "t", "description": "does t", "inputSchema": {"type": "object"}}


def without(key: str) -> dict[str, Json]:
    return {name: value for name, value in TOOL.items() if name != key}


NESTED: dict[str, Json] = {
    "type": "namespace",
    "name": "ns",
    "description": "of ns",
    "tools": [{"type": "function", **TOOL}],
}
LISTS: dict[str, Json] = {
    "one": [TOOL],
    "two": [TOOL, {**TOOL, "name": "u"}],
    "same-name": [TOOL, TOOL],
    "empty": [],
    "null": None,
    "object": TOOL,
    "string": "t",
    "deferred": [{**TOOL, "deferLoading": True}],
    "not-deferred": [{**TOOL, "deferLoading": False}],
    "defer-null": [{**TOOL, "deferLoading": None}],
    "defer-text": [{**TOOL, "deferLoading": "yes"}],
    "exposed": [{**TOOL, "exposeToContext": True}],
    "not-exposed": [{**TOOL, "exposeToContext": False}],
    "expose-null": [{**TOOL, "exposeToContext": None}],
    "defer-and-not-exposed": [{**TOOL, "deferLoading": False, "exposeToContext": False}],
    "defer-and-exposed": [{**TOOL, "deferLoading": True, "exposeToContext": True}],
    "defer-null-not-exposed": [{**TOOL, "deferLoading": None, "exposeToContext": False}],
    "namespace": [{**TOOL, "namespace": "mcp__a"}],
    "namespace-null": [{**TOOL, "namespace": None}],
    "namespace-empty": [{**TOOL, "namespace": ""}],
    "namespace-number": [{**TOOL, "namespace": 1}],
    "no-name": [without("name")],
    "no-description": [without("description")],
    "no-schema": [without("inputSchema")],
    "name-empty": [{**TOOL, "name": "", "description": ""}],
    "name-null": [{**TOOL, "name": None}],
    "schema-null": [{**TOOL, "inputSchema": None}],
    "schema-bool": [{**TOOL, "inputSchema": True}],
    "schema-text": [{**TOOL, "inputSchema": "x"}],
    "snake": [{"name": "t", "description": "d", "input_schema": {}}],
    "snake-defer": [{**TOOL, "defer_loading": True}],
    "unknown-key": [{**TOOL, "future": 1}],
    "one-bad": [TOOL, without("name"), {**TOOL, "name": "v"}],
    "null-entry": [TOOL, None],
    "typed": [{"type": "function", **TOOL}],
    "typed-deferred": [{"type": "function", **TOOL, "deferLoading": True}],
    "typed-unknown": [{"type": "future", **TOOL}],
    "nested": [NESTED],
    "nested-deferred": [{**NESTED, "tools": [{"type": "function", **TOOL, "deferLoading": True}]}],
    "nested-empty": [{**NESTED, "tools": []}],
    "nested-mixed": [TOOL, NESTED, {**TOOL, "name": "w"}],
}
SCHEMAS: dict[str, str] = {
    "key-order": '{"type":"object","properties":{"z":{},"a":{}},"additionalProperties":false}',
    "spaces": '{ "a" : [ 1 , 2 ] }',
    "numbers": "[1,1.0,1e3,-0,0.10,1E-7,-1.5e+300,123456789012345678901234567890,0.1e1]",
    "integers": "[9223372036854775807,9223372036854775808,18446744073709551615,"
    "18446744073709551616,-9223372036854775808,-9223372036854775809]",
    "floats": "[5e-324,1.7976931348623157e308,1e16,1e15,123456.789e3,1e21,1e-5,0.00001,-0.0]",
    "float-over": "[1e400]",
    "escapes": '{"\\u0061\\u00e9":"\\/\\u2028\\ud83d\\ude00\\b\\f\\u0000\\u007f"}',
    "lone-surrogate": '{"a":"\\ud83d"}',
    "duplicates": '{"b":1,"a":2,"b":3}',
    "deep": "[" * 100 + "]" * 100,
    "deeper": "[" * 126 + "]" * 126,
}

CASES: tuple[Case, ...] = (
    *(
        case(f"tools-{name}", TOOLS, meta(dynamic_tools=tools), user())
        for name, tools in LISTS.items()
    ),
    *(
        case(
            f"tools-schema-{name}",
            TOOLS,
            meta(f'"dynamic_tools":[{{"name":"t","description":"d","inputSchema":{text}}}]'),
            user(),
        )
        for name, text in SCHEMAS.items()
    ),
    case(
        "tools-second",
        "which session_meta's tools count",
        meta(dynamic_tools=[TOOL]),
        meta(dynamic_tools=[{**TOOL, "name": "second"}]),
    ),
    case(
        "tools-second-only",
        "which session_meta's tools count",
        meta(),
        meta(dynamic_tools=[{**TOOL, "name": "second"}]),
    ),
    case(
        "tools-second-null",
        "which session_meta's tools count",
        meta(dynamic_tools=[TOOL]),
        meta(dynamic_tools=None),
    ),
    case(
        "tools-second-empty",
        "which session_meta's tools count",
        meta(dynamic_tools=[TOOL]),
        meta(dynamic_tools=[]),
    ),
    case(
        "tools-second-other",
        "another thread's tools",
        meta(),
        meta(id="@other@", dynamic_tools=[TOOL]),
    ),
    case(
        "tools-not-first",
        "session_meta is not the first line",
        user(),
        turn(),
        meta(dynamic_tools=[TOOL]),
    ),
    case(
        "tools-after-garbage",
        "a line that is no JSON before the session_meta",
        b"garbage",
        meta(dynamic_tools=[TOOL]),
    ),
    case(
        "tools-after-blank", "a blank line before the session_meta", b"", meta(dynamic_tools=[TOOL])
    ),
    case(
        "tools-after-bad-meta",
        "a lost session_meta before the good one",
        meta(cwd=...),
        meta(dynamic_tools=[TOOL]),
    ),
    case(
        "tools-late",
        "session_meta after many other lines",
        *[turn()] * 15,
        meta(dynamic_tools=[TOOL]),
    ),
    case(
        "tools-bad-stamp",
        "the tools of a session_meta whose timestamp does not parse",
        meta(timestamp="no", dynamic_tools=[TOOL]),
    ),
    case(
        "tools-other-bad-stamp",
        "the same with another id than the name's",
        meta(id="@other@", timestamp="no", dynamic_tools=[TOOL]),
    ),
)
