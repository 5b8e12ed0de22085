"""What the unit keeps the daemon from, tried in its place, by an ordinary user's manager."""

import json
import re
from pathlib import Path

import pytest

from tests.system.service import UNIT, UNITS, Service
from tests.system.session import HOME, PYTHON

pytestmark = pytest.mark.timeout(300)

PROBE = "rolloutd-probe.service"
# As `systemd-analyze security` counts, with one decimal: 0 is perfect, 10 is open to all.
MOST_EXPOSED = 1.7

LET_THROUGH = {
    "write the state folder",
    "write the private /tmp",
    "write /var/tmp",
    "list the rollouts",
    "look at a process",
    "look at the mounts",
    "listen on loopback",
    "start a program",
}
REFUSED = {
    "write the home": "EROFS",
    "write the Codex home": "EROFS",
    "write a rollout's folder": "EROFS",
    "remove a rollout's folder": "EROFS",
    "write the runtime folder": "EROFS",
    "read a secret key": "EACCES",
    "read Codex's token": "EACCES",
    "see the kernel's log": "ENOENT",
    "make a set-user-ID file": "EPERM",
    "make a user namespace": "EPERM",
    "mount": "EPERM",
    "trace": "EPERM",
    "change the personality": "EPERM",
    "map memory to write and run": "EPERM",
    "speak netlink": "EAFNOSUPPORT",
    "speak vsock": "EAFNOSUPPORT",
    "be less nice": "EPERM",
    "set the host's name": "EPERM",
}


def probed(service: Service) -> dict[str, str]:
    """What a program is let through that runs in the daemon's place."""
    program = service.session.home / service.place / "probe.py"
    program.write_text(Path(__file__).with_name("probe.py").read_text())
    state = HOME / service.place / "state"
    command = f"{PYTHON} {HOME / service.place}/probe.py {HOME} {state.with_name('codex')} {state}"
    text = re.sub(r"(?m)^ExecStart=.*$", f"ExecStart={command}", service.unit.read_text())
    text = text.replace("Type=notify", "Type=oneshot").replace("Restart=on-failure", "Restart=no")
    (service.session.home / UNITS / PROBE).write_text(text)
    service.systemctl("daemon-reload")
    done = service.session.systemctl("start", PROBE)
    messages = service.session.journal(PROBE)
    assert done.code == 0, messages
    [output] = [each["MESSAGE"] for each in messages if each["MESSAGE"].startswith("{")]
    found = json.loads(output)
    assert isinstance(found, dict)
    return found


def test_what_it_is_kept_from_and_what_not(service: Service) -> None:
    ssh, token = service.session.home / ".ssh", service.codex_home / "auth.json"
    ssh.mkdir()
    (ssh / "id_ed25519").write_text("secret")
    token.write_text("secret")
    service.session.own(ssh)
    service.session.own(service.codex_home)
    service.install()
    found = probed(service)
    assert found == dict.fromkeys(LET_THROUGH, "done") | REFUSED
    assert not Path("/tmp/rolloutd-probe").exists()
    assert (service.database.parent / "probe").exists()


def test_the_daemon_itself_is_confined(service: Service) -> None:
    service.thread(1)
    service.install("--now")
    [main] = service.pids() - service.readers()
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{main}/status").read_text().splitlines()
    )
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert {int(status[f"Cap{kind}"], 16) for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    assert status["Umask"] == "0077"
    limits = Path(f"/proc/{main}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits)


def test_the_unit_is_clean_and_tight(service: Service) -> None:
    service.install()
    unit = str(HOME / UNITS / UNIT)
    done = service.session.run("systemd-analyze", "--user", "verify", unit)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    analyze = ("systemd-analyze", "--user", "security", "--offline=true", "--no-pager")
    done = service.session.run(*analyze, f"--threshold={MOST_EXPOSED * 10:.0f}", unit)
    assert done.code == 0, done.stdout
    assert f"{MOST_EXPOSED} OK" in done.stdout


def test_nothing_is_warned_about_when_it_runs(service: Service) -> None:
    service.thread(1)
    service.install("--now")
    service.wait_until_true()
    service.systemctl("reload", "rolloutd")
    service.systemctl("stop", "rolloutd")
    assert [line for line in service.log().splitlines() if line[1] < "6"] == []


def test_readers_work_in_there(service: Service) -> None:
    for number in range(200):
        service.thread(number)
    service.install("--now")
    service.wait_until_true()


def test_without_namespaces_it_is_confined_less_and_says_so(service: Service) -> None:
    # What systemd needs to make a mount namespace.
    root = Path(f"/proc/{service.session.pid}/root/run/systemd/unit-root")
    root.rmdir()
    try:
        service.thread(1)
        said = service.install("--now")
        assert "confined less" in said
        service.wait_for("active")
        service.wait_until_true()
        text = service.unit.read_text()
        assert "PrivateUsers" not in text
        assert "SystemCallFilter" in text
    finally:
        root.mkdir()
    assert "PrivateUsers=yes" in service.install("--dry-run")
