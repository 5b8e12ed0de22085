"""The unit's file: the template with a user's values in it, and a mark that shows edits."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rolloutd import __version__
from rolloutd.errors import ConfigurationError
from rolloutd.resources import resource

NAME = "rolloutd.service"

# From this systemd on the time between two restarts can grow.
_STEPS_SINCE = 254
_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_MARK = re.compile(
    r"# Written by rolloutd (?P<version>\S+); sha256 of what follows: (?P<digest>[0-9a-f]{64})\n"
)
_DATABASE = re.compile(r"^# Database: (.+)$", re.MULTILINE)
# What PrivateTmp= hides.
_SHARED_FOLDERS = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108


@dataclass(frozen=True, slots=True)
class Installation:
    """What is particular to one user.

    Attributes:
        python: the interpreter that has rolloutd in its environment.
        program: folders that it needs for that.
        environment: the settings that were in force beside the configuration file.
        systemd: the version of the manager; None if it is not known.
        has_namespaces: whether the manager can give a service namespaces of its own.
    """

    python: Path
    program: tuple[Path, ...]
    codex_home: Path
    database: Path
    environment: Mapping[str, str]
    systemd: int | None
    has_namespaces: bool


def render(installation: Installation) -> str:
    """The unit's text, with a mark that tells later whether somebody has edited it.

    Raises:
        ConfigurationError: a path or a value has a control character in it.
    """
    template = (resource("systemd") / NAME).read_text()
    # The comment at its head is about the template.
    _, _, body = template.partition("\n\n")
    values = _values(installation)
    lines: list[str] = []
    for line in body.splitlines():
        key, assigns, _ = line.partition("=")
        lines += values.get(key, [line]) if assigns else [line]
    text = f"# Database: {installation.database}\n"
    text += f"# Change it by `systemctl --user edit {NAME}`: the next install keeps that.\n\n"
    text += "".join(f"{line}\n" for line in lines)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"# Written by rolloutd {__version__}; sha256 of what follows: {digest}\n{text}"


def version_of(text: str) -> str | None:
    """The version of rolloutd that wrote a unit; None if somebody else has, or has edited it."""
    mark = _MARK.match(text)
    if mark is None:
        return None
    digest = hashlib.sha256(text[mark.end() :].encode()).hexdigest()
    return mark["version"] if digest == mark["digest"] else None


def database_of(text: str) -> Path | None:
    """The database that a unit of ours was written for."""
    found = _DATABASE.search(text)
    return None if found is None else Path(found[1])


def _values(installation: Installation) -> dict[str, list[str]]:
    folder = installation.database.parent
    home = installation.codex_home
    needed = (installation.python, *installation.program, home, folder)
    # A link is of no use where what it leads to is hidden.
    ends = (*needed, *(path.resolve() for path in needed))
    is_hidden = any(path.is_relative_to(shared) for path in ends for shared in _SHARED_FOLDERS)
    writable = (folder, *(_SHARED_FOLDERS if is_hidden else ()))  # SQLite may need temporary files
    values = {
        "ExecStart": [_line("ExecStart", *_program(installation.python), *_RUN)],
        "ExecStartPre": [_line("ExecStartPre", "+:/bin/mkdir", "-p", "-m", "0700", str(folder))],
        "Environment": [
            _line("Environment", f"{name}={value}")
            for name, value in sorted(installation.environment.items())
        ],
        "ReadWritePaths": [_line("ReadWritePaths", *map(str, writable))],
        "InaccessiblePaths": [
            f"InaccessiblePaths=-%h/.ssh -%h/.gnupg {_quoted(f'-{home}/auth.json')}"
        ],
        "PrivateTmp": [f"PrivateTmp={'no' if is_hidden else 'yes'}"],
    }
    if any(home.resolve().is_relative_to(path) for path in writable):
        values["ReadWritePaths"].append(_line("ReadOnlyPaths", f"-{home}"))
    if installation.systemd is not None and installation.systemd >= _STEPS_SINCE:
        values["RestartSec"] = ["RestartSec=10s", "RestartSteps=6", "RestartMaxDelaySec=5min"]
    if not installation.has_namespaces:
        values |= {key: [] for key in _OF_NAMESPACES}
    return values


# -P: the current directory must not replace our modules. faulthandler: where it hung when the
# watchdog ended it goes to the journal.
_RUN = ("-P", "-X", "faulthandler", "-m", "rolloutd", "run")


def _program(path: Path) -> tuple[str, ...]:
    # `:` keeps `$` as it is. Systemd starts nothing with a quote or a backslash in its name.
    if set(str(path)) & set("\"'\\"):
        return ":/usr/bin/env", str(path)
    return (f":{path}",)


# Without a user namespace these have no effect, or end the start with 218/CAPABILITIES.
_OF_NAMESPACES = (
    "PrivateUsers",
    "ProtectSystem",
    "ProtectHome",
    "ReadWritePaths",
    "InaccessiblePaths",
    "PrivateTmp",
    "PrivateMounts",
    "PrivateDevices",
    "DevicePolicy",
    "CapabilityBoundingSet",
    "ProtectClock",
    "ProtectHostname",
    "ProtectControlGroups",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
)


def _line(key: str, *words: str) -> str:
    return f"{key}={' '.join(map(_quoted, words))}"


def _quoted(text: str) -> str:
    """One word, as systemd.syntax(7) and its specifiers want it."""
    if any(each < " " or each == "\x7f" for each in text):
        raise ConfigurationError(f"{text!r}: a control character cannot stand in a unit")
    text = text.replace("%", "%%")
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
