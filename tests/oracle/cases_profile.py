"""permission_profile: what 0.169.0 writes into a turn_context in place of sandbox_policy."""

from .cases_build import Case, Json, Value, case, meta, turn

WHY = "rollouts.md: sandbox_policy, as 0.169.0 spells it"

ROOT: dict[str, Json] = {"path": {"type": "special", "value": {"kind": "root"}}, "access": "read"}
WORK: dict[str, Json] = {
    "path": {"type": "special", "value": {"kind": "project_roots"}},
    "access": "write",
}
PLAIN: dict[str, Json] = {"path": {"type": "path", "path": "/a/../b/"}, "access": "write"}
SKIP: dict[str, Json] = {
    "access": "read",
    "missing_path_behavior": "skip",
    "path": {"type": "path", "path": "/work/.git"},
}


def managed(*entries: Json, network: Value = "restricted") -> dict[str, Json]:
    inside: dict[str, Json] = {"type": "restricted", "entries": entries}
    base: dict[str, Json] = {"type": "managed", "file_system": inside}
    return base if isinstance(network, type(...)) else {**base, "network": network}


PROFILES: dict[str, Json] = {
    "disabled": {"type": "disabled"},
    "disabled-extra": {"type": "disabled", "future": 1},
    "external": {"type": "external", "network": "enabled"},
    "external-restricted": {"type": "external", "network": "restricted"},
    "external-bare": {"type": "external"},
    "read-only": managed(ROOT),
    "write": managed(ROOT, WORK, PLAIN, SKIP),
    "network": managed(ROOT, network="enabled"),
    "network-unknown": managed(ROOT, network="future"),
    "no-network": managed(ROOT, network=...),
    "reordered": dict(reversed(list(managed(ROOT).items()))),
    "unrestricted": {
        "type": "managed",
        "file_system": {"type": "unrestricted"},
        "network": "restricted",
    },
    "no-entries": managed(),
    "glob": {
        "type": "managed",
        "file_system": {"type": "restricted", "entries": [ROOT], "glob_scan_max_depth": 3},
        "network": "restricted",
    },
    "access-unknown": managed({**ROOT, "access": "future"}),
    "access-none": managed({**PLAIN, "access": "none"}),
    "kind-unknown": managed(
        {"path": {"type": "special", "value": {"kind": "future"}}, "access": "read"}
    ),
    "path-relative": managed({"path": {"type": "path", "path": "a"}, "access": "read"}),
    "unknown": {"type": "future"},
    "empty": {},
    "null": None,
    "string": "disabled",
}


def special(**value: Json) -> dict[str, Json]:
    return managed({"path": {"type": "special", "value": value}, "access": "read"})


def scanned(depth: Json) -> dict[str, Json]:
    inside: dict[str, Json] = {"type": "restricted", "entries": [], "glob_scan_max_depth": depth}
    return {"type": "managed", "file_system": inside, "network": "restricted"}


ODD: dict[str, Json] = {
    "special-minimal": special(kind="minimal"),
    "special-tmpdir": special(kind="tmpdir"),
    "special-slash-tmp": special(kind="slash_tmp"),
    "special-old-name": special(kind="current_working_directory"),
    "special-subpath": special(subpath="a/../b/", kind="project_roots"),
    "special-subpath-null": special(kind="project_roots", subpath=None),
    "special-subpath-number": special(kind="project_roots", subpath=1),
    "special-root-subpath": special(kind="root", subpath="a"),
    "special-unknown": special(kind="unknown", path=":x"),
    "special-unknown-subpath": special(kind="unknown", subpath="s", path=":x"),
    "special-unknown-bare": special(kind="unknown"),
    "pattern": managed({"path": {"type": "glob_pattern", "pattern": "**/*.e"}, "access": "deny"}),
    "pattern-number": managed({"path": {"type": "glob_pattern", "pattern": 1}, "access": "deny"}),
    "path-string": managed({"path": "/a", "access": "read"}),
    "path-home": managed({"path": {"type": "path", "path": "~/x"}, "access": "read"}),
    "missing-null": managed({**ROOT, "missing_path_behavior": None}),
    "entry-extra": managed({**ROOT, "future": 1}),
    "entry-no-access": managed({"path": ROOT["path"]}),
    "no-file-system": {"type": "managed", "network": "restricted"},
    "unrestricted-extra": {
        "type": "managed",
        "file_system": {"type": "unrestricted", "entries": []},
        "network": "restricted",
    },
    "depth-zero": scanned(0),
    "depth-null": scanned(None),
    "depth-text": scanned("1"),
    "external-extra": {"type": "external", "network": "enabled", "future": 1},
    "no-type": {"file_system": {"type": "unrestricted"}, "network": "enabled"},
    "no-type-network": {"network": {"enabled": True}},
    "no-type-network-word": {"network": "enabled"},
    "no-type-entries": {"file_system": {"entries": [ROOT]}},
    "no-type-lists": {"file_system": {"write": ["/b"], "read": ["/a"]}},
    "no-type-extra": {"future": 1},
    "network-null": {"type": "managed", "file_system": {"type": "unrestricted"}, "network": None},
}

CASES: tuple[Case, ...] = (
    *(
        case(
            f"profile-{name}",
            WHY,
            meta(),
            turn(sandbox_policy=..., permission_profile=profile),
        )
        for name, profile in (PROFILES | ODD).items()
    ),
    *(
        case(f"profile-and-sandbox-{name}", WHY, meta(), turn(permission_profile=profile))
        for name, profile in PROFILES.items()
    ),
    case(
        "profile-as-written",
        WHY,
        meta(),
        turn(
            root_turn_id="turn-1",
            disabled_plugin_ids=[],
            approvals_reviewer="user",
            sandbox_policy=...,
            summary=...,
            permission_profile=managed(ROOT, SKIP),
            active_permission_profile={"id": ":workspace"},
            multi_agent_version="v1",
        ),
    ),
)
