"""turn_context: policies, model, effort and which fields it cannot do without."""

from .cases_build import Case, Json, case, meta, turn

SANDBOX = "rollouts.md: sandbox_policy"
APPROVAL = "rollouts.md: approval_mode"
MODEL = "rollouts.md: model, reasoning_effort"
REQUIRED = "a turn_context without a field, or with a wrong one"

SANDBOXES: dict[str, Json] = {
    "danger": {"type": "danger-full-access"},
    "danger-extra": {"type": "danger-full-access", "network_access": True},
    "read-only": {"type": "read-only"},
    "read-only-network": {"type": "read-only", "network_access": True},
    "read-only-no-network": {"type": "read-only", "network_access": False},
    "read-only-access-full": {"type": "read-only", "access": {"type": "full-access"}},
    "read-only-access-restricted": {
        "type": "read-only",
        "access": {
            "type": "restricted",
            "include_platform_defaults": False,
            "readable_roots": ["/a"],
        },
        "network_access": True,
    },
    "read-only-network-null": {"type": "read-only", "network_access": None},
    "read-only-network-text": {"type": "read-only", "network_access": "enabled"},
    "write": {"type": "workspace-write"},
    "write-network": {"type": "workspace-write", "network_access": True},
    "write-full": {
        "type": "workspace-write",
        "writable_roots": ["/a", "/b"],
        "network_access": False,
        "exclude_tmpdir_env_var": True,
        "exclude_slash_tmp": True,
    },
    "write-reordered": {
        "exclude_slash_tmp": False,
        "network_access": True,
        "type": "workspace-write",
        "writable_roots": [],
    },
    "write-roots-empty": {"type": "workspace-write", "writable_roots": []},
    "write-roots-null": {"type": "workspace-write", "writable_roots": None},
    "write-roots-relative": {"type": "workspace-write", "writable_roots": ["a/../b"]},
    "write-roots-dots": {"type": "workspace-write", "writable_roots": ["/a/../b/./c/", "/d//e"]},
    "write-roots-home": {"type": "workspace-write", "writable_roots": ["~/x"]},
    "write-roots-unicode": {"type": "workspace-write", "writable_roots": ['/é\n"😀']},
    "write-roots-uri": {"type": "workspace-write", "writable_roots": ["file:///a"]},
    "write-read-only-access": {
        "type": "workspace-write",
        "read_only_access": {"type": "full-access"},
    },
    "write-unknown-key": {"type": "workspace-write", "future": [1]},
    "write-exclude-null": {"type": "workspace-write", "exclude_slash_tmp": None},
    "external": {"type": "external-sandbox"},
    "external-enabled": {"type": "external-sandbox", "network_access": "enabled"},
    "external-restricted": {"type": "external-sandbox", "network_access": "restricted"},
    "external-bool": {"type": "external-sandbox", "network_access": True},
    "external-unknown": {"type": "external-sandbox", "network_access": "future"},
    "mode": {"mode": "read-only"},
    "mode-write": {"mode": "workspace-write", "network_access": True},
    "mode-danger": {"mode": "danger-full-access"},
    "string": "read-only",
    "string-danger": "danger-full-access",
    "unknown": {"type": "future-policy", "x": 1},
    "snake": {"type": "read_only"},
    "camel": {"type": "readOnly"},
    "empty": {},
    "null": None,
    "list": ["read-only"],
}
GRANULAR: dict[str, Json] = {"sandbox_approval": True, "rules": False, "mcp_elicitations": True}
FULL: dict[str, Json] = {"request_permissions": True, "skill_approval": False}
APPROVALS: dict[str, Json] = {
    "untrusted": "untrusted",
    "unless-trusted": "unless-trusted",
    "on-failure": "on-failure",
    "on-request": "on-request",
    "never": "never",
    "unknown": "future",
    "snake": "on_request",
    "camel": "onRequest",
    "granular-string": "granular",
    "granular-full": {"granular": {**GRANULAR, **FULL}},
    "granular-reordered": {"granular": dict(reversed(list({**GRANULAR, **FULL}.items())))},
    "granular-defaults": {"granular": GRANULAR},
    "granular-empty": {"granular": {}},
    "granular-missing": {"granular": {"sandbox_approval": True, "rules": False}},
    "granular-unknown": {"granular": {**GRANULAR, "future": True}},
    "granular-null": {"granular": None},
    "granular-text": {"granular": {**GRANULAR, "rules": "yes"}},
    "reject": {"reject": {"sandbox_approval": True, "rules": False, "mcp_elicitations": True}},
    "unit-object": {"never": None},
    "null": None,
    "empty": "",
}
EFFORTS = (
    "none",
    "minimal",
    "low",
    "medium",
    "high",
    "xhigh",
    "max",
    "ultra",
    "persistent",
    "future",
    "",
    "High",
    "extra-high",
    "two words",
    " ",
    "é",
)
WRONG: dict[str, Json] = {
    "network": "x",
    "truncation_policy": "x",
    "user_instructions": 1,
    "current_date": 1,
    "permission_profile": "x",
    "workspace_roots": "x",
    "realtime_active": "x",
    "final_output_json_schema": [1],
    "file_system_sandbox_policy": "x",
    "trace_id": 1,
    "comp_hash": 1,
    "multi_agent_version": 1,
    "approvals_reviewer": "x",
    "multi_agent_mode": 1,
    "timezone": 1,
    "developer_instructions": 1,
}
FIELDS = ("turn_id", "cwd", "approval_policy", "sandbox_policy", "model", "effort", "summary")


def mode(**settings: Json) -> dict[str, Json]:
    return {"mode": "plan", "settings": settings}


CASES: tuple[Case, ...] = (
    *(
        case(f"sandbox-{name}", SANDBOX, meta(), turn(sandbox_policy=policy))
        for name, policy in SANDBOXES.items()
    ),
    *(
        case(f"approval-{name}", APPROVAL, meta(), turn(approval_policy=policy))
        for name, policy in APPROVALS.items()
    ),
    *(case(f"effort-{effort}", MODEL, meta(), turn(effort=effort)) for effort in EFFORTS),
    case("effort-object", MODEL, meta(), turn(effort={"custom": "a"})),
    *(case(f"turn-no-{name}", REQUIRED, meta(), turn(**{name: ...})) for name in FIELDS),
    *(case(f"turn-null-{name}", REQUIRED, meta(), turn(**{name: None})) for name in FIELDS),
    *(case(f"turn-number-{name}", REQUIRED, meta(), turn(**{name: 1})) for name in FIELDS),
    case("turn-none", "defaults of sandbox, approval and model", meta()),
    case("turn-extra", REQUIRED, meta(), turn(future={"a": [1]}, timezone=None)),
    case("turn-null-latest", MODEL, meta(), turn(), turn(effort=None)),
    case("turn-absent-latest", MODEL, meta(), turn(), turn(effort=...)),
    case(
        "turn-latest",
        MODEL,
        meta(),
        turn(),
        turn(
            model="gpt-6",
            effort="low",
            approval_policy="on-failure",
            sandbox_policy={"type": "workspace-write"},
        ),
    ),
    case("turn-bad-latest", MODEL, meta(), turn(), turn(model=5, effort="low")),
    case("turn-model-empty", MODEL, meta(), turn(model="")),
    case("turn-before-meta", MODEL, turn(), meta()),
    case(
        "turn-mode-model",
        "collaboration_mode against model and effort",
        meta(),
        turn(
            collaboration_mode=mode(
                model="gpt-plan", reasoning_effort="low", developer_instructions=None
            )
        ),
    ),
    case(
        "turn-mode-null-effort",
        "collaboration_mode against model and effort",
        meta(),
        turn(
            collaboration_mode=mode(
                model="gpt-plan", reasoning_effort=None, developer_instructions=None
            )
        ),
    ),
    case(
        "turn-mode-bare",
        "collaboration_mode that lacks its settings",
        meta(),
        turn(collaboration_mode={"mode": "plan"}),
    ),
    case(
        "turn-mode-unknown",
        "a collaboration_mode of a newer release",
        meta(),
        turn(collaboration_mode={"mode": "future", "settings": {"model": "m"}}),
    ),
    case(
        "turn-mode-string",
        "a collaboration_mode that is a string",
        meta(),
        turn(collaboration_mode="plan"),
    ),
    *(
        case(f"turn-summary-{name}", REQUIRED, meta(), turn(summary=name))
        for name in ("concise", "detailed", "none", "future")
    ),
    *(
        case(f"turn-personality-{name}", REQUIRED, meta(), turn(personality=name))
        for name in ("none", "friendly", "pragmatic", "future", None)
    ),
    case("turn-cwd-empty", "rollouts.md: cwd", meta(), turn(cwd="")),
    case("turn-cwd-relative", "rollouts.md: cwd", meta(), turn(cwd="a/b")),
    case(
        "turn-cwd-first",
        "rollouts.md: cwd, if empty the first turn_context",
        meta(cwd=""),
        turn(cwd="/turn/./a/../b/"),
        turn(cwd="/second"),
    ),
    case("turn-cwd-other", "rollouts.md: cwd", meta(), turn(cwd="/elsewhere")),
    case("turn-cwd-uri", "rollouts.md: cwd", meta(cwd=""), turn(cwd="file:///a")),
    *(
        case(f"turn-bad-{name}", REQUIRED, meta(), turn(**{name: value}))
        for name, value in WRONG.items()
    ),
)
