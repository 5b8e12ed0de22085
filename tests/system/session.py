"""An ordinary user who is logged in, with a service manager of their own (`systemd --user`).

It is the real one, and the user is one by all that it can tell: only their machine is small, a
mount and a pid namespace that `login.sh` furnishes, with all of its processes in it. They end with
the process that holds the namespaces, and that ends with the tests, however these end.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.running import BOUND_SECONDS, Done, wait_until

ROOT = Path(__file__).parents[2]
NAME, UID = "ada", 4217
# What a user finds in there.
HOME = Path("/home", NAME)
PYTHON = HOME / "venv/bin/python"
ENVIRONMENT = {
    "HOME": str(HOME),
    "USER": NAME,
    "LOGNAME": NAME,
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "XDG_RUNTIME_DIR": f"/run/user/{UID}",
}

_PROGRAMS = ("systemctl", "journalctl", "unshare", "nsenter", "setpriv", "mount")
_SYSTEMD = Path("/usr/lib/systemd/systemd")


class CannotLogIn(Exception):
    """This machine does not let us; says why."""


@dataclass(frozen=True, slots=True)
class Session:
    """A user while they are logged in.

    Attributes:
        home: their home, seen from here; `HOME` in there.
        pid: the first process in there, by its pid out here.
        group: the control group of their manager.
    """

    home: Path
    pid: int
    group: Path

    def run(self, *command: str, **environment: str) -> Done:
        """Run a command in there as the user, to its end; a bounded time."""
        become = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--init-groups"]
        return self.run_as_root(*become, "--pdeathsig=KILL", *command, **environment)

    def run_as_root(self, *command: str, **environment: str) -> Done:
        """The same as root."""
        ended = subprocess.run(
            ["nsenter", f"--target={self.pid}", "--mount", "--pid", f"--wdns={HOME}", *command],
            env=ENVIRONMENT | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BOUND_SECONDS,
            check=False,
        )
        return Done(ended.returncode, ended.stdout, ended.stderr)

    def rolloutd(self, *arguments: str, **environment: str) -> Done:
        """Run `rolloutd` as the user."""
        return self.run(str(PYTHON), "-P", "-m", "rolloutd", *arguments, **environment)

    def systemctl(self, *arguments: str) -> Done:
        """Run `systemctl --user`."""
        return self.run("systemctl", "--user", "--no-pager", *arguments)

    def properties(self, unit: str) -> dict[str, str]:
        """What the manager says of a unit."""
        done = self.systemctl("show", unit)
        assert done.code == 0, done
        return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)

    def journal(self, unit: str) -> list[dict[str, Any]]:
        """What a unit of the user, and the manager of it, has logged; oldest first."""
        done = self.run("journalctl", "--user", "--output=json", "--all", f"--unit={unit}")
        assert done.code == 0, done
        return [json.loads(line) for line in done.stdout.splitlines()]

    def own(self, path: Path) -> None:
        """Give the user what was written from out here."""
        for each in (path, *path.rglob("*")):
            os.chown(each, UID, UID, follow_symlinks=False)


@contextmanager
def logged_in(work: Path) -> Iterator[Session]:
    """Log a user in whose home is `work`/home; all of it is undone at the end.

    Raises:
        CannotLogIn: why this machine does not let us.
    """
    _refuse_machine()
    with _control_groups() as groups, (work / "log").open("ab") as log:
        # The helper, and with it all others, dies with us.
        holder = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig=KILL", "unshare", "--mount", "--propagation=private"),
                *(
                    "--pid",
                    "--fork",
                    "--kill-child",
                    "--mount-proc",
                    str(ROOT / "tests/system/login.sh"),
                ),
                *(NAME, str(UID), str(work), str(ROOT), sys.prefix, sys.base_prefix, _pth()),
                *map(str, groups),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield _ready(holder, work, groups[0])
        finally:
            holder.kill()
            holder.wait(BOUND_SECONDS)


def _ready(holder: "subprocess.Popen[bytes]", work: Path, group: Path) -> Session:
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children")
    said = ""

    def is_running() -> bool:
        nonlocal said
        if holder.poll() is not None:
            raise CannotLogIn(f"it ended: {(work / 'log').read_text()}")
        pids = children.read_text().split()
        if not pids:
            return False
        done = Session(work / "home", int(pids[0]), group).systemctl("is-system-running")
        said = done.stdout + done.stderr
        return done.stdout.strip() == "running"

    try:
        wait_until(is_running, "the user's manager runs")
    except AssertionError as error:
        raise CannotLogIn(f"{said}{(work / 'log').read_text()}") from error
    return Session(work / "home", int(children.read_text()), group)


def _refuse_machine() -> None:
    if not _SYSTEMD.exists():
        raise CannotLogIn("there is no systemd here")
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        raise CannotLogIn(f"there is no {missing[0]} here")
    if os.geteuid() != 0:
        raise CannotLogIn("only root can log another user in")


def _pth() -> str:
    """The file that an editable installation consists of, in its environment."""
    packages = Path(sysconfig.get_path("purelib"))
    for path in packages.glob("*.pth"):
        if path.read_text().strip() == str(ROOT / "daemon"):
            return str(path.relative_to(sys.prefix))
    return ""


@contextmanager
def _control_groups() -> Iterator[list[Path]]:
    """A folder of the user's in each hierarchy that systemd works with.

    The names are those of a real login, which the journal takes the unit of a message from.
    """
    name = f"rolloutd-tests-{uuid4().hex[:8]}.slice"
    made = [path / name for path in _hierarchies()]
    try:
        yield [_owned_group(path) for path in made]
    finally:
        for path in made:
            _remove_group(path)


def _hierarchies() -> list[Path]:
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        kind, _, options = fields[fields.index("-") + 1 :][:3]
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            found.append(Path(fields[4]))
    if not found:
        raise CannotLogIn("there are no control groups that systemd could use")
    return found


def _owned_group(path: Path) -> Path:
    group = path / f"user-{UID}.slice" / f"user@{UID}.service"
    try:
        group.mkdir(parents=True)
    except OSError as error:
        raise CannotLogIn(f"{group}: {error.strerror}") from error
    for each in (group, *group.iterdir()):
        os.chown(each, UID, UID)
    return group


def _remove_group(path: Path) -> None:
    folders = sorted((each for each in path.rglob("*") if each.is_dir()), reverse=True)

    def is_gone() -> bool:
        # A process that has just ended is still counted for a moment.
        with suppress(FileNotFoundError, OSError):
            for folder in [*folders, path]:
                if folder.exists():
                    folder.rmdir()
        return not path.exists()

    wait_until(is_gone, f"{path} is empty")
