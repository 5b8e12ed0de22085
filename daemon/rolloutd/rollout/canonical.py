"""Canonical texts of the values that Codex stores as compact JSON.

Field order, filled-in defaults and refusals are those of Codex 0.130.0, asked with the real
program (tests/oracle). Values that only newer releases know are kept as they are written.
Every function raises ValueError where Codex would not accept the value.
"""

import posixpath
import re
from typing import TypeGuard

import msgspec

from rolloutd.rollout.names import parse_thread_id

_AGENT_PATH = re.compile(r"/root(?:/[a-z0-9_]+)*")
_KNOWN_SOURCES = frozenset({"cli", "vscode", "exec", "mcp", "unknown"})
_SOURCES_WITH_DATA = frozenset({"custom", "subagent", "internal"})


def compact(value: object) -> str:
    """JSON without white space, keys in their order, non-ASCII characters as they are."""
    return msgspec.json.encode(value).decode()


def source_text(source: object) -> tuple[str, str | None]:
    """`threads.source`, and the parent's thread id if it is a `thread_spawn`."""
    if isinstance(source, str):
        if source in _SOURCES_WITH_DATA:
            raise ValueError(f"source {source!r} needs a value")
        return (source if source in _KNOWN_SOURCES else "unknown"), None
    kind, value = _only_item(source)
    if kind in _KNOWN_SOURCES:
        return kind, None
    if kind == "custom":
        return compact({kind: checked_text(value)}), None
    if kind == "subagent":
        return _subagent_text(value)
    return compact(source), None


def _subagent_text(value: object) -> tuple[str, str | None]:
    if isinstance(value, str):
        return compact({"subagent": value}), None
    kind, inner = _only_item(value)
    if kind == "other":
        return compact({"subagent": {kind: checked_text(inner)}}), None
    if kind == "thread_spawn":
        spawn = _thread_spawn(inner)
        return compact({"subagent": {kind: spawn}}), str(spawn["parent_thread_id"])
    if inner is None:
        return compact({"subagent": kind}), None
    return compact({"subagent": value}), None


def _thread_spawn(value: object) -> dict[str, object]:
    if not is_object(value):
        raise ValueError("thread_spawn is not an object")
    if "agent_role" in value and "agent_type" in value:
        raise ValueError("agent_role and agent_type say the same")
    parent = parse_thread_id(checked_text(value.get("parent_thread_id")))
    depth = value.get("depth")
    if parent is None:
        raise ValueError("parent_thread_id is not a UUID")
    if type(depth) is not int or not -(2**31) <= depth < 2**31:
        raise ValueError("depth is not a 32-bit integer")
    path = agent_path(optional_text(value.get("agent_path")))
    return {
        "parent_thread_id": parent,
        "depth": depth,
        "agent_path": path,
        "agent_nickname": optional_text(value.get("agent_nickname")),
        "agent_role": optional_text(value.get("agent_role", value.get("agent_type"))),
    }


def agent_path(path: str | None) -> str | None:
    """An agent's path, `/root` or below it; ValueError for another text."""
    if path is not None and not _AGENT_PATH.fullmatch(path):
        raise ValueError("agent_path does not lie at or below /root")
    return path


def sandbox_text(policy: object) -> str:
    """`threads.sandbox_policy`; `{"mode": ...}`, as releases up to 0.58 spell it, is a type too."""
    if not is_object(policy):
        raise ValueError("sandbox_policy is not an object")
    kind = checked_text(policy.get("type", policy.get("mode")))
    match kind:
        case "danger-full-access":
            fields: dict[str, object] = {}
        case "read-only":
            network = checked_flag(policy, "network_access")
            fields = {"network_access": True} if network else {}
        case "workspace-write":
            roots = [absolute_path(root) for root in checked_list(policy.get("writable_roots", []))]
            fields = {"writable_roots": roots} if roots else {}
            for name in ("network_access", "exclude_tmpdir_env_var", "exclude_slash_tmp"):
                fields[name] = checked_flag(policy, name)
        case "external-sandbox":
            fields = {"network_access": checked_text(policy.get("network_access", "restricted"))}
        case _:
            fields = {name: value for name, value in policy.items() if name not in ("type", "mode")}
    return compact({"type": kind, **fields})


def approval_text(policy: object) -> str:
    """`threads.approval_mode`: a word, or compact JSON where there is more to say."""
    if isinstance(policy, str):
        if not policy or policy == "granular":
            raise ValueError("approval_policy says nothing")
        return policy
    kind, value = _only_item(policy)
    if kind == "granular":
        if not is_object(value):
            raise ValueError("granular approval is not an object")
        return compact({kind: _granular(value)})
    if value is None:
        return kind
    return compact(policy)


def _granular(value: dict[str, object]) -> dict[str, bool]:
    return {
        "sandbox_approval": checked_flag(value, "sandbox_approval", required=True),
        "rules": checked_flag(value, "rules", required=True),
        "skill_approval": checked_flag(value, "skill_approval"),
        "request_permissions": checked_flag(value, "request_permissions"),
        "mcp_elicitations": checked_flag(value, "mcp_elicitations", required=True),
    }


def normalise_path(path: str) -> str:
    """`path` without `.`, `..`, doubled and trailing slashes; nothing on disk is looked at."""
    if not path:
        return path
    normal = posixpath.normpath(path)
    # POSIX gives two leading slashes a meaning of their own; here they are one.
    return normal[1:] if normal.startswith("//") else normal


def _only_item(value: object) -> tuple[str, object]:
    if not is_object(value) or len(value) != 1:
        raise ValueError("neither a word nor an object with one key")
    return next(iter(value.items()))


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Whether a decoded value is a JSON object."""
    return isinstance(value, dict)


def checked_object(value: object) -> dict[str, object]:
    """The value, if it is an object."""
    if not is_object(value):
        raise ValueError("not an object")
    return value


def checked_list(value: object) -> list[object]:
    """The value, if it is a list."""
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


def checked_text(value: object) -> str:
    """The value, if it is a text."""
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def optional_text(value: object) -> str | None:
    """The value, if it is a text or null."""
    return None if value is None else checked_text(value)


def checked_flag(fields: dict[str, object], name: str, *, required: bool = False) -> bool:
    """The boolean of that name; false if it is not there and need not be."""
    value = fields.get(name, None if required else False)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is not a boolean")
    return value


def absolute_path(value: object) -> str:
    """The value, normalised, if it is an absolute path."""
    path = checked_text(value)
    if not path.startswith("/"):
        raise ValueError("not an absolute path")
    return normalise_path(path)
