"""A user's service manager, spoken to by `systemctl --user`."""

import re
import subprocess
from dataclasses import dataclass

from rolloutd.errors import RolloutdError

# What does not wait for a service to start or stop takes far less.
_BOUND_SECONDS = 60.0
_SHOWN = (
    "UnitFileState",
    "ActiveState",
    "SubState",
    "StateChangeTimestamp",
    "ExecMainStartTimestamp",
    "StatusText",
    "MainPID",
    "NRestarts",
    "MemoryCurrent",
    "Result",
    "ExecMainStatus",
    "InvocationID",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
)
_SYSTEMCTL = ("systemctl", "--user", "--no-pager", "--no-ask-password")


class ManagerUnavailable(RolloutdError):
    """There is no service manager of this user's to speak to."""


class ManagerRefused(RolloutdError):
    """The manager could not do what it was asked for."""


@dataclass(frozen=True, slots=True)
class UnitState:
    """How a unit is, in systemd's words; numbers are None where it has none.

    Attributes:
        since: when it came into this state, epoch seconds; None if never.
        started: when its last main process was started, epoch seconds.
        status: what the service says of itself.
        memory: bytes, with the pages of files that it has read.
        exit_code: of its last main process.
        invocation: names this run of it; empty if there never was one.
        fragment: the unit's file; empty if there is none.
    """

    enabled: str
    active: str
    sub: str
    since: int | None
    started: int | None
    status: str
    pid: int | None
    restarts: int | None
    memory: int | None
    result: str
    exit_code: int | None
    invocation: str
    fragment: str
    drop_ins: str
    needs_reload: bool

    @property
    def is_failing(self) -> bool:
        """Failed for good, or waiting for its next try."""
        return self.active == "failed" or self.sub == "auto-restart"


class Systemctl:
    """Asks the manager of the user that runs this process."""

    def version(self) -> int:
        """The manager's version, e.g. 252.

        Raises:
            ManagerUnavailable: see there; says what to do.
        """
        try:
            done = _run(*_SYSTEMCTL, "show", "--property=Version", "--value")
        except FileNotFoundError as error:
            raise ManagerUnavailable(
                "there is no systemctl here; have `rolloutd run` started by what starts services"
            ) from error
        if done.returncode:
            raise ManagerUnavailable(_explain(done.stderr))
        found = re.match(r"\d+", done.stdout)
        return int(found[0]) if found else 0

    def has_namespaces(self) -> bool:
        """Whether a service can be confined: some systems give users no namespaces. Tries it."""
        command = ["systemd-run", "--user", "--wait", "--collect", "--quiet"]
        confined = ["-p", "PrivateUsers=yes", "-p", "ProtectSystem=strict", "-p", "PrivateTmp=yes"]
        return _run(*command, *confined, "/bin/true").returncode == 0

    def state(self, unit: str) -> UnitState:
        """How a unit is now."""
        text = self.ask("show", "--timestamp=unix", f"--property={','.join(_SHOWN)}", unit)
        found = dict(line.partition("=")[::2] for line in text.splitlines())
        return UnitState(
            enabled=found["UnitFileState"],
            active=found["ActiveState"],
            sub=found["SubState"],
            since=_number(found["StateChangeTimestamp"].removeprefix("@")),
            started=_number(found["ExecMainStartTimestamp"].removeprefix("@")),
            status=found["StatusText"],
            pid=_number(found["MainPID"]) or None,
            restarts=_number(found["NRestarts"]),
            memory=_number(found["MemoryCurrent"]),
            result=found["Result"],
            exit_code=_number(found["ExecMainStatus"]),
            invocation=found["InvocationID"],
            fragment=found["FragmentPath"],
            drop_ins=found["DropInPaths"],
            needs_reload=found["NeedDaemonReload"] == "yes",
        )

    def ask(self, *arguments: str) -> str:
        """Run `systemctl --user` with these arguments; returns what it prints.

        Raises:
            ManagerRefused: with what it says.
        """
        done = _run(*_SYSTEMCTL, *arguments)
        if done.returncode:
            raise ManagerRefused(f"systemctl --user {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def last_words(self, invocation: str, lines: int) -> list[str]:
        """The last lines that a run of a unit has logged; none where the journal is not ours."""
        command = ["journalctl", "--user", "--quiet", "--no-pager", "--output=cat"]
        this = f"_SYSTEMD_INVOCATION_ID={invocation}"
        return _run(*command, f"--lines={lines}", this).stdout.splitlines()


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_BOUND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = f"{' '.join(command)}: no answer in {error.timeout:.0f} s"
        raise ManagerRefused(said) from None


def _number(text: str) -> int | None:
    # What is not known is `[not set]`, or the largest number there is.
    return int(text) if text.isdecimal() and int(text) < 2**63 else None


def _explain(said: str) -> str:
    return (
        f"your service manager cannot be reached: {said.strip()}\n"
        "In what is no login session (su, sudo, cron), have it run always, by `sudo loginctl"
        " enable-linger USER`,\nand say where it is, by `export XDG_RUNTIME_DIR=/run/user/$(id -u)`"
    )
