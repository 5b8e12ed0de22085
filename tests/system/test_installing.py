"""`rolloutd service`, as an ordinary user types it."""

import os
import re
import shutil
from pathlib import Path

import pytest

import rolloutd
from tests.running import Done, wait_until
from tests.system.service import UNIT, UNITS, Service
from tests.system.session import HOME, PYTHON, ROOT, UID

pytestmark = pytest.mark.timeout(300)

ODD = " a \"5%\" $HOME 'x' \\ ü"


def status(service: Service) -> dict[str, object]:
    done = service.rolloutd("service", "status", "--json")
    assert done.code == 0, done
    return done.document


def lines(done: Done) -> dict[str, str]:
    assert done.code == 0, done
    return dict(re.split(r" {2,}", line, maxsplit=1) for line in done.stdout.splitlines())


def invocation(service: Service) -> str:
    return service.properties()["InvocationID"]


def links_to(service: Service) -> list[str]:
    """By which the unit is enabled, dangling ones too: `glob` of Python 3.11 passes those over."""
    units = service.session.home / UNITS
    found = (Path(folder, name) for folder, _, names in os.walk(units) for name in names)
    return [
        str(each.relative_to(units)) for each in found if each.is_symlink() and each.name == UNIT
    ]


def test_install_status_uninstall(service: Service) -> None:
    service.thread(1)
    before = status(service)
    assert not before["installed"]
    said = service.install("--now")
    assert f"installed {HOME / UNITS / UNIT}, enabled" in said
    assert "runs: following 1 rollouts" in said
    assert "loginctl enable-linger ada" in said
    assert service.unit.stat().st_mode & 0o777 == 0o644

    after = status(service)
    running = {
        "installed": True,
        "edited": False,
        "outdated": False,
        "enabled": True,
        "lingering": False,
        "active": "active",
        "state": "running",
        "restarts": 0,
        "exit_code": None,
        "needs_restart": False,
        "database": str(HOME / service.place / "state/state.sqlite"),
    }
    assert after == after | running
    assert after["pid"] == int(service.properties()["MainPID"])
    shown = lines(service.rolloutd("service", "status"))
    assert shown["state"].startswith("active (running) for ")
    assert shown["says"].startswith("following 1 rollouts")
    assert shown["starts"] == "with your first login, until your last logout"

    done = service.rolloutd("service", "uninstall")
    assert done.code == 0, done
    assert f"the database stays: {HOME / service.place}/state/state.sqlite" in done.stdout
    assert service.database.exists()
    assert not service.unit.exists()
    assert links_to(service) == []
    assert service.properties()["LoadState"] == "not-found"
    again = service.rolloutd("service", "uninstall")
    assert again.code == 0
    assert "not installed" in again.stdout


def test_a_unit_that_was_deleted_by_hand(service: Service) -> None:
    service.install("--now")
    service.unit.unlink()
    for reloaded in (False, True):
        if reloaded:
            service.systemctl("daemon-reload")
        told = status(service)
        assert (told["installed"], told["left_over"], told["active"]) == (False, True, "active")
        shown = lines(service.rolloutd("service", "status"))
        assert shown["unit"].startswith(f"{HOME / UNITS / UNIT}, not there any more: ")
        assert shown["state"].startswith("active (running) for ")
    done = service.rolloutd("service", "uninstall")
    assert done.code == 0, done
    assert "stopped, disabled and removed what was left of it" in done.stdout
    assert service.properties()["ActiveState"] == "inactive"
    assert links_to(service) == []
    assert not status(service)["left_over"]
    assert "not installed" in service.rolloutd("service", "uninstall").stdout


def test_an_enabled_unit_that_was_stopped_and_deleted_by_hand(service: Service) -> None:
    """Nothing runs, but with the next unit of that name the link would start it."""
    service.install()
    assert links_to(service) == ["default.target.wants/rolloutd.service"]
    service.unit.unlink()
    service.systemctl("daemon-reload")
    told = status(service)
    assert (told["installed"], told["left_over"], told["active"]) == (False, True, "inactive")
    done = service.rolloutd("service", "uninstall")
    assert "stopped, disabled and removed what was left of it" in done.stdout
    assert links_to(service) == []


def test_a_service_of_that_name_that_is_somebody_elses(service: Service) -> None:
    """It is no business of ours: not left over, and not stopped."""
    service.session.run("systemd-run", "--user", "--unit=rolloutd", "sleep", "300")
    try:
        told = status(service)
        assert (told["installed"], told["left_over"], told["active"]) == (False, False, "active")
        assert str(told["elsewhere"]).endswith("transient/rolloutd.service")
        for command in ("status", "uninstall"):
            done = service.rolloutd("service", command)
            assert done.code == 0, done
            assert done.stdout.startswith("not installed: there is no ")
            assert "transient/rolloutd.service" in done.stdout
        assert service.properties()["ActiveState"] == "active"
    finally:
        service.systemctl("stop", "rolloutd")


def test_a_database_behind_links(service: Service) -> None:
    """Of its folder, into another; of its file, into one that the unit would not let it write."""
    service.thread(1)
    home, place = service.session.home, service.session.home / service.place
    for name in ("elsewhere", "deeper"):
        (place / name).mkdir()
    (place / "state").symlink_to("elsewhere")
    (place / "elsewhere/state.sqlite").symlink_to("../deeper/index.sqlite")
    service.session.own(home / service.place)
    assert "runs: following 1 rollouts" in service.install("--now")
    assert status(service)["database"] == str(HOME / service.place / "deeper/index.sqlite")
    assert sorted(each.name for each in (place / "elsewhere").iterdir()) == ["state.sqlite"]
    again = service.rolloutd("backfill", "--wait-seconds", "0")
    assert again.code == 75, again


def test_lingering_is_not_advertised_to_who_has_it(service: Service) -> None:
    lingers = Path(f"/proc/{service.session.pid}/root/var/lib/systemd/linger/ada")
    service.session.run_as_root("mount", "-t", "tmpfs", "tmpfs", "/var/lib/systemd")
    lingers.parent.mkdir()
    lingers.touch()
    try:
        assert "linger" not in service.install()
        assert status(service)["lingering"]
    finally:
        service.session.run_as_root("umount", "/var/lib/systemd")


def test_installing_again_changes_nothing(service: Service) -> None:
    service.install("--now")
    first, stamp = invocation(service), service.unit.stat().st_mtime_ns
    assert "runs already" in service.install("--now")
    service.install()
    assert invocation(service) == first
    assert service.unit.stat().st_mtime_ns == stamp


def test_changed_settings_take_effect(service: Service) -> None:
    service.install("--now")
    first = invocation(service)
    said = service.install(ROLLOUTD_RECONCILE_SECONDS="77")
    assert "start it now: systemctl --user restart rolloutd" in said
    assert invocation(service) == first
    assert status(service)["needs_restart"]
    said = service.install("--now", ROLLOUTD_RECONCILE_SECONDS="77")
    assert "runs: " in said
    assert invocation(service) != first
    assert "ROLLOUTD_RECONCILE_SECONDS=77" in service.properties()["Environment"]
    assert not status(service)["needs_restart"]


def test_an_upgrade_is_seen_and_done(service: Service) -> None:
    service.install("--now")
    first = invocation(service)
    text = service.unit.read_text()
    service.unit.write_text(text.replace(f"by rolloutd {rolloutd.__version__};", "by rolloutd 0;"))
    assert status(service)["outdated"]
    service.install("--now")
    assert service.unit.read_text() == text
    assert invocation(service) != first


def test_an_edited_unit_is_not_lost(service: Service) -> None:
    service.install()
    text = service.unit.read_text() + "# mine\n"
    service.unit.write_text(text)
    assert status(service)["edited"]
    for command in ("install", "uninstall"):
        done = service.rolloutd("service", command)
        assert done.code == 1
        assert "edited, or not written by rolloutd: left alone" in done.stderr
        assert service.unit.read_text() == text
    said = service.install("--force")
    [saved] = service.unit.parent.glob(f"{UNIT}.saved-*")
    assert str(HOME / UNITS / saved.name) in said
    assert saved.read_text() == text
    assert not status(service)["edited"]


def test_a_masked_service_is_left_masked(service: Service) -> None:
    service.systemctl("mask", "rolloutd")
    done = service.rolloutd("service", "install")
    assert done.code == 1
    assert "left alone" in done.stderr
    assert service.unit.is_symlink()
    service.systemctl("unmask", "rolloutd")


def test_a_drop_in_is_kept_and_shown(service: Service) -> None:
    service.drop_in(CPUWeight="50")
    service.install("--now")
    drop_in = UNITS / f"{UNIT}.d/tests.conf"
    assert status(service)["drop_ins"] == [str(HOME / drop_in)]
    service.rolloutd("service", "uninstall")
    assert (service.session.home / drop_in).exists()


def test_dry_run_prints_and_does_nothing(service: Service) -> None:
    # A line ends where systemd has it end, and nowhere else.
    odd = {"ROLLOUTD_MODEL_PROVIDER": "a\u2028b", "LANG": "C.UTF-8"}
    text = service.install("--dry-run", **odd)
    assert not service.unit.exists()
    service.install(**odd)
    assert service.unit.read_text() == text
    # Where there is no manager, too.
    done = service.rolloutd("service", "install", "--dry-run", XDG_RUNTIME_DIR="/nowhere", **odd)
    assert (done.code, done.stdout) == (0, text)


def test_paths_that_have_to_be_quoted(service: Service) -> None:
    odd = service.session.home / service.place / ODD
    (odd / "codex/sessions").mkdir(parents=True)
    (odd / "venv").symlink_to(HOME / "venv")
    place = HOME / service.place / ODD
    environment = {
        "CODEX_HOME": str(place / "codex"),
        "ROLLOUTD_DATABASE": str(place / "state/state.sqlite"),
        "ROLLOUTD_MODEL_PROVIDER": ODD,
        "ROLLOUTD_METRICS_PORT": "0",
    }
    service.session.own(odd)
    done = service.session.run(
        *(str(place / "venv/bin/python"), "-P", "-m", "rolloutd", "service", "install", "--now"),
        **environment,
    )
    assert done.code == 0, (done, service.log())
    unit = str(HOME / UNITS / UNIT)
    assert service.session.run("systemd-analyze", "--user", "verify", unit).stderr == ""
    odd_service = Service(service.session, service.place / ODD, service.began)
    odd_service.thread(1)
    wait_until(odd_service.has_thread(1), "it follows the odd home")
    [main] = service.pids() - service.readers()
    variables = Path(f"/proc/{main}/environ").read_text().split("\0")
    assert f"ROLLOUTD_MODEL_PROVIDER={ODD}" in variables
    command = Path(f"/proc/{main}/cmdline").read_text().split("\0")
    assert command[0] == str(place / "venv/bin/python")


def test_a_home_below_tmp_is_seen(service: Service) -> None:
    place = Path("/tmp", f"rolloutd-{os.getpid()}")
    home = Path(f"/proc/{service.session.pid}/root/{place}")
    (home / "sessions").mkdir(parents=True)
    os.chown(home, UID, UID)
    try:
        said = service.install("--now", CODEX_HOME=str(place))
        assert "runs: following 0 rollouts" in said
    finally:
        service.systemctl("stop", "rolloutd")
        (home / "sessions").rmdir()
        home.rmdir()


def test_another_daemon_is_named_and_then_succeeded(service: Service) -> None:
    service.drop_in(RestartSec="1s")
    service.install()
    start = "python=$1; shift; $python -P -m rolloutd run >/dev/null 2>&1 & echo $!"
    python = str(HOME / "venv/bin/python")
    done = service.session.run("sh", "-c", start, "sh", python, **service.environment)
    other = done.stdout.strip()
    wait_until(lambda: service.rolloutd("status", "--json").code == 0, "it runs")
    done = service.rolloutd("service", "install", "--now")
    assert done.code == 1
    assert "another rolloutd works on this database" in done.stderr
    assert f"process {other}" in done.stderr
    service.session.run("kill", other)
    service.wait_for("active")


@pytest.mark.parametrize("command", ["install", "uninstall", "status"])
def test_no_manager(service: Service, command: str) -> None:
    bare = ("env", "--unset=XDG_RUNTIME_DIR", str(PYTHON), "-P", "-m", "rolloutd", "service")
    done = service.session.run(*bare, command)
    assert done.code == 1
    assert "your service manager cannot be reached" in done.stderr
    assert "loginctl enable-linger" in done.stderr
    assert "Traceback" not in done.stderr
    bare = ("env", f"PATH={HOME}", str(PYTHON), "-P", "-m", "rolloutd", "service")
    done = service.session.run(*bare, command)
    assert done.code == 1
    assert "there is no systemctl here" in done.stderr


def test_a_wrong_setting_is_refused_before_anything_is_written(service: Service) -> None:
    done = service.rolloutd("service", "install", "--now", ROLLOUTD_WATCH="closely")
    assert done.code == 78
    assert not service.unit.exists()


def test_the_template_itself_suits_an_installation_by_pipx(service: Service) -> None:
    program = service.session.home / ".local/bin/rolloutd"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {PYTHON} -P -m rolloutd "$@"\n')
    program.chmod(0o755)
    service.session.own(program.parents[1])
    home = service.session.home / ".codex"
    (home / "sessions").mkdir(parents=True)
    service.unit.parent.mkdir(parents=True, exist_ok=True)
    service.unit.write_text((ROOT / "systemd" / UNIT).read_text())
    service.drop_in(Environment="ROLLOUTD_METRICS_PORT=0")
    try:
        unit = str(HOME / UNITS / UNIT)
        assert service.session.run("systemd-analyze", "--user", "verify", unit).stderr == ""
        service.systemctl("start", "rolloutd")
        assert service.is_("active", SubState="running")
        assert (service.session.home / ".local/state/rolloutd/state.sqlite").exists()
    finally:
        service.systemctl("stop", "rolloutd")
        shutil.rmtree(home)
        program.unlink()


def test_ours_beside_a_service_of_that_name(service: Service) -> None:
    """An install that is not taken up leaves nothing; what is ours goes, theirs stays."""
    service.session.run("systemd-run", "--user", "--unit=rolloutd", "sleep", "300")
    pid = service.properties()["MainPID"]
    try:
        done = service.rolloutd("service", "install")
        assert done.code == 1
        assert "transient/rolloutd.service instead of" in done.stderr
        assert not service.unit.exists()
        written = f"mkdir -p {HOME / UNITS} && echo '[Service]' > {HOME / UNITS / UNIT}"
        service.session.run("sh", "-c", written)
        assert service.unit.exists()
        told = service.rolloutd("service", "uninstall", "--force")
        assert told.code == 0, told
        assert "left alone: " in told.stdout
        assert service.properties()["MainPID"] == pid
        assert not service.unit.exists()
        [saved] = service.unit.parent.glob(f"{UNIT}.saved-*")
        saved.unlink()
    finally:
        service.systemctl("stop", "rolloutd")


def test_a_unit_that_is_a_link(service: Service) -> None:
    """`systemctl disable` takes it away; it is kept aside all the same."""
    service.install("--now")
    service.session.run(
        "sh",
        "-c",
        f"mkdir -p ~/units && mv {HOME / UNITS / UNIT} ~/units/{UNIT}"
        f" && ln -s ~/units/{UNIT} {HOME / UNITS / UNIT}",
    )
    service.systemctl("daemon-reload")
    done = service.rolloutd("service", "uninstall", "--force")
    assert done.code == 0, done
    assert "moved to " in done.stdout
    assert service.properties()["ActiveState"] == "inactive"
    assert links_to(service) == []
    assert not os.path.lexists(service.unit)
    [saved] = service.unit.parent.glob(f"{UNIT}.saved-*")
    saved.unlink()


def test_links_of_other_kinds(service: Service) -> None:
    service.install()
    service.systemctl("enable", "--runtime", "rolloutd")
    service.systemctl("add-requires", "default.target", "rolloutd")
    done = service.rolloutd("service", "uninstall")
    assert done.code == 0, done
    assert links_to(service) == []
    assert status(service)["left_over"] is False
