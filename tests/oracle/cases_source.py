"""session_meta.source, and the spawn edges that come from it."""

from .cases_build import Case, Json, case, meta

SOURCE = "rollouts.md: source"
PARENT = "11111111-2222-7333-8444-555555555555"
SPAWN: dict[str, Json] = {"parent_thread_id": PARENT, "depth": 1}
AGENT: dict[str, Json] = {"agent_path": None, "agent_nickname": "Tesla", "agent_role": "explorer"}

STRINGS = (
    "cli",
    "vscode",
    "exec",
    "mcp",
    "appServer",
    "app_server",
    "appserver",
    "app-server",
    "unknown",
    "custom",
    "Cli",
    "VSCode",
    "subagent",
    "",
    "atlas",
    "chatgpt",
    "internal",
    "memory_consolidation",
    "review",
)
OBJECTS: dict[str, str] = {
    "custom": '{"custom":"my-app"}',
    "custom-empty": '{"custom":""}',
    "custom-null": '{"custom":null}',
    "custom-number": '{"custom":1}',
    "custom-unicode": '{"custom":"\\u00e9\\u0001\\/\\"é😀\\u007f\\u2028"}',
    "empty": "{}",
    "two-keys": '{"custom":"a","subagent":"review"}',
    "unknown-key": '{"future":"x"}',
    "unit-cli": '{"cli":null}',
    "unit-cli-value": '{"cli":{}}',
    "list": '["cli"]',
    "number": "1",
    "bool": "true",
    "review": '{"subagent":"review"}',
    "compact": '{"subagent":"compact"}',
    "memory": '{"subagent":"memory_consolidation"}',
    "subagent-unknown": '{"subagent":"future_kind"}',
    "subagent-unknown-object": '{"subagent":{"future":{"a":1}}}',
    "subagent-null": '{"subagent":null}',
    "other": '{"subagent":{"other":"guardian"}}',
    "other-null": '{"subagent":{"other":null}}',
    "review-null": '{"subagent":{"review":null}}',
    "alias-subAgent": '{"subAgent":"review"}',
    "alias-sub_agent": '{"sub_agent":"review"}',
    "alias-SubAgent": '{"SubAgent":"Review"}',
    "internal": '{"internal":"memory_consolidation"}',
    "internal-unknown": '{"internal":"future"}',
    "spawn-list": '{"subagent":{"thread_spawn":["' + PARENT + '",1,null,null,null]}}',
    "spawn-camel": '{"subagent":{"threadSpawn":{"parentThreadId":"' + PARENT + '","depth":1}}}',
}
SPAWNS: dict[str, dict[str, Json]] = {
    "full": {**SPAWN, **AGENT},
    "bare": SPAWN,
    "path": {**SPAWN, "agent_path": "/root/explorer"},
    "path-relative": {**SPAWN, "agent_path": "explorer"},
    "path-root": {**SPAWN, "agent_path": "/root"},
    "path-empty": {**SPAWN, "agent_path": ""},
    "path-upper": {**SPAWN, "agent_path": "/root/Explorer-1"},
    "path-slash": {**SPAWN, "agent_path": "/root/a/"},
    "path-other": {**SPAWN, "agent_path": "/morpheus/a"},
    "alias-type": {**SPAWN, "agent_type": "worker"},
    "type-and-role": {**SPAWN, "agent_type": "worker", "agent_role": "explorer"},
    "unknown-key": {"future": 1, **SPAWN},
    "reordered": {"agent_role": "r", "depth": 2, "agent_nickname": "n", "parent_thread_id": PARENT},
    "no-depth": {"parent_thread_id": PARENT},
    "no-parent": {"depth": 1},
    "depth-float": {**SPAWN, "depth": 1.0},
    "depth-negative": {**SPAWN, "depth": -1},
    "depth-text": {**SPAWN, "depth": "1"},
    "depth-big": {**SPAWN, "depth": 2147483648},
    "parent-upper": {**SPAWN, "parent_thread_id": PARENT.upper().replace("5555", "abcd")},
    "parent-simple": {**SPAWN, "parent_thread_id": PARENT.replace("-", "")},
    "parent-bad": {**SPAWN, "parent_thread_id": "parent"},
    "parent-null": {**SPAWN, "parent_thread_id": None},
    "parent-self": {**SPAWN, "parent_thread_id": "@id@"},
    "nickname-empty": {**SPAWN, "agent_nickname": "", "agent_role": ""},
    "nickname-number": {**SPAWN, "agent_nickname": 1},
    "camel": {"parentThreadId": PARENT, "depth": 1},
}

CASES: tuple[Case, ...] = (
    case("source-absent", SOURCE, meta(source=...)),
    case("source-null", SOURCE, meta(source=None)),
    *(case(f"source-string-{text}", SOURCE, meta(source=text)) for text in STRINGS),
    *(
        case(f"source-object-{name}", SOURCE, meta(f'"source":{text}', source=...))
        for name, text in OBJECTS.items()
    ),
    *(
        case(f"source-spawn-{name}", SOURCE, meta(source={"subagent": {"thread_spawn": spawn}}))
        for name, spawn in SPAWNS.items()
    ),
    case("source-spawn-null", SOURCE, meta(source={"subagent": {"thread_spawn": None}})),
    case("source-twice", SOURCE, meta('"source":"exec"')),
    case(
        "source-over-none",
        "a later session_meta of the same id overwrites source",
        meta(source="exec"),
        meta(source=...),
    ),
    case(
        "source-spawn-agents",
        "agents of the record and of its source",
        meta(
            source={"subagent": {"thread_spawn": {**SPAWN, **AGENT}}},
            agent_nickname="Curie",
            agent_role="worker",
            agent_path="/root/curie",
        ),
    ),
    case(
        "source-spawn-then-cli",
        "an edge is never taken back",
        meta(source={"subagent": {"thread_spawn": SPAWN}}),
        meta(source="cli"),
    ),
    case(
        "source-cli-then-spawn",
        "an edge of a later session_meta",
        meta(source="cli"),
        meta(source={"subagent": {"thread_spawn": SPAWN}}),
    ),
)
