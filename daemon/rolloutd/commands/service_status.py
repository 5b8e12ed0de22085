"""`rolloutd service status`: how the service is, in systemd's words and in rolloutd's."""

import time
from typing import Any

from rolloutd.commands.options import Json
from rolloutd.commands.output import print_document, print_lines


def status(*, as_json: Json = False) -> None:
    """Show whether the service is installed, enabled and running, and what it says of itself."""
    document = _document()
    if as_json:
        print_document(document)
    else:
        print_lines(_lines(document, time.time()))


def _document() -> dict[str, Any]:
    from rolloutd import __version__
    from rolloutd.places import units_folder
    from rolloutd.systemd.installation import Service, is_lingering
    from rolloutd.systemd.systemctl import Systemctl
    from rolloutd.systemd.unit import NAME

    systemctl = Systemctl()
    systemd = systemctl.version()
    service = Service(systemctl, units_folder() / NAME)
    file, state = service.file(), service.state()
    return {
        "unit": str(service.path),
        "installed": file is not None,
        "left_over": service.is_left_over(),
        "elsewhere": service.elsewhere(),
        "edited": file is not None and file.version is None,
        "outdated": file is not None and file.version not in (None, __version__),
        "drop_ins": state.drop_ins.split(),
        "database": str(file.database) if file is not None and file.database else None,
        "enabled": state.enabled == "enabled",
        "lingering": is_lingering(),
        "active": state.active,
        "state": state.sub,
        "since": state.since,
        "pid": state.pid,
        "status": state.status or None,
        "restarts": state.restarts,
        "memory_bytes": state.memory,
        "result": state.result,
        "exit_code": state.exit_code if state.is_failing else None,
        "needs_reload": state.needs_reload,
        "needs_restart": state.active == "active" and service.has_to_start(),
        "systemd": systemd,
    }


def not_installed(unit: str, elsewhere: str | None) -> str:
    """That there is no unit of ours; and which one of that name the manager has, if any."""
    other = "" if elsewhere is None else f" (systemd has one of that name: {elsewhere})"
    return f"not installed: there is no {unit}{other}"


def _lines(document: dict[str, Any], now: float) -> list[str]:
    from rolloutd.wording import age_text, printable, size_text

    if not document["installed"] and not document["left_over"]:
        return [not_installed(document["unit"], document["elsewhere"])]
    notes = [
        note
        for key, note in (
            ("left_over", "not there any more: `rolloutd service install` writes it anew"),
            ("edited", "edited since it was installed"),
            ("outdated", "of another version: install again"),
            ("needs_reload", "not what systemd has read: systemctl --user daemon-reload"),
            ("needs_restart", "changed since it was started: systemctl --user restart rolloutd"),
        )
        if document[key]
    ]
    if document["elsewhere"] is not None:
        notes.append(f"not what systemd has of that name: {document['elsewhere']}")
    lines = [f"unit       {', '.join([document['unit'], *notes])}"]
    lines += [f"drop-in    {path}" for path in document["drop_ins"]]
    begins = "at boot" if document["lingering"] else "with your first login, until your last logout"
    lines.append(f"starts     {begins if document['enabled'] else 'never by itself: not enabled'}")
    state = f"{document['active']} ({document['state']})"
    if document["since"] is not None:
        state += f" for {age_text(now - document['since'])}"
    if document["pid"] is not None:
        state += f", process {document['pid']}"
    if document["memory_bytes"] is not None:
        state += f", {size_text(document['memory_bytes'])}"
    if document["restarts"]:
        state += f", restarted {document['restarts']} times"
    lines.append(f"state      {state}")
    if document["exit_code"] is not None:
        lines.append(f"failed     {document['result']}, exit code {document['exit_code']}")
    if document["status"] is not None:
        lines.append(f"says       {printable(document['status'])}")
    if document["database"] is not None:
        lines.append(f"database   {document['database']}")
    lines.append("log        journalctl --user --unit rolloutd")
    return lines
