"""The canonical text of a permission profile, which newer releases write for a sandbox policy.

Field order, filled-in defaults and refusals are those of Codex 0.169.0, asked with the real
program (tests/oracle). Words that only newer releases know are kept.
"""

from rolloutd.rollout.canonical import (
    absolute_path,
    checked_flag,
    checked_list,
    checked_object,
    checked_text,
    compact,
    optional_text,
)

_OLD_NAMES = {"current_working_directory": "project_roots", "none": "deny"}
_SPECIAL_PLACES = frozenset({"root", "minimal", "tmpdir", "slash_tmp"})


def profile_text(profile: dict[str, object]) -> str:
    """`threads.sandbox_policy` of a turn that has a profile and no policy.

    Raises:
        ValueError: 0.169.0 would not accept the profile.
    """
    if "type" not in profile:
        profile = _typed(profile)
    kind = checked_text(profile["type"])
    match kind:
        case "disabled":
            fields: dict[str, object] = {}
        case "external":
            fields = {"network": checked_text(profile.get("network"))}
        case "managed":
            fields = {
                "file_system": _file_system(checked_object(profile.get("file_system"))),
                "network": checked_text(profile.get("network")),
            }
        case _:
            return compact(profile)
    return compact({"type": kind, **fields})


def _typed(profile: dict[str, object]) -> dict[str, object]:
    # An earlier form has no type; it says more briefly what a managed profile says.
    if not profile.keys() <= {"file_system", "network"}:
        raise ValueError("a permission profile without a type")
    file_system = checked_object(profile.get("file_system") or {})
    if not file_system.keys() <= {"entries", "read", "write", "glob_scan_max_depth"}:
        raise ValueError("file_system has a type, and the profile around it none")
    entries = list(checked_list(file_system.get("entries") or []))
    for access in ("read", "write"):
        entries += [
            {"path": {"type": "path", "path": path}, "access": access}
            for path in checked_list(file_system.get(access) or [])
        ]
    network = checked_object(profile.get("network") or {})
    return {
        "type": "managed",
        "file_system": {**file_system, "type": "restricted", "entries": entries},
        "network": "enabled" if checked_flag(network, "enabled") else "restricted",
    }


def _file_system(file_system: dict[str, object]) -> dict[str, object]:
    kind = checked_text(file_system.get("type"))
    if kind == "unrestricted":
        return {"type": kind}
    if kind != "restricted":
        return file_system
    entries = [_entry(checked_object(each)) for each in checked_list(file_system.get("entries"))]
    fields: dict[str, object] = {"type": kind, "entries": entries}
    depth = file_system.get("glob_scan_max_depth")
    if depth is not None:
        if type(depth) is not int or depth <= 0:
            raise ValueError("glob_scan_max_depth is not a positive number")
        fields["glob_scan_max_depth"] = depth
    return fields


def _entry(entry: dict[str, object]) -> dict[str, object]:
    access = checked_text(entry.get("access"))
    fields: dict[str, object] = {
        "path": _path(checked_object(entry.get("path"))),
        "access": _OLD_NAMES.get(access, access),
    }
    missing = optional_text(entry.get("missing_path_behavior"))
    return fields if missing is None else {**fields, "missing_path_behavior": missing}


def _path(path: dict[str, object]) -> dict[str, object]:
    kind = checked_text(path.get("type"))
    match kind:
        case "path":
            return {"type": kind, "path": absolute_path(path.get("path"))}
        case "glob_pattern":
            return {"type": kind, "pattern": checked_text(path.get("pattern"))}
        case "special":
            return {"type": kind, "value": _special(checked_object(path.get("value")))}
    return path


def _special(value: dict[str, object]) -> dict[str, object]:
    kind = checked_text(value.get("kind"))
    kind = _OLD_NAMES.get(kind, kind)
    if kind in _SPECIAL_PLACES:
        return {"kind": kind}
    if kind not in ("project_roots", "unknown"):
        return value
    fields: dict[str, object] = {"kind": kind}
    if kind == "unknown":
        fields["path"] = checked_text(value.get("path"))
    subpath = optional_text(value.get("subpath"))
    return fields if subpath is None else {**fields, "subpath": subpath}
