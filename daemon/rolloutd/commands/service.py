"""`rolloutd service`: rolloutd as a systemd service of the user that says so."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from rolloutd.commands.options import CodexHome, Database, ModelProvider, read_settings
from rolloutd.commands.output import fail, print_lines
from rolloutd.commands.service_status import not_installed, status

if TYPE_CHECKING:
    from rolloutd.settings import Settings
    from rolloutd.systemd.installation import Service
    from rolloutd.systemd.systemctl import UnitState

service = typer.Typer(
    no_args_is_help=True,
    help="Run rolloutd as a systemd service of this user: install it, remove it, see how it is.",
)

Force = Annotated[
    bool, typer.Option("--force", help="Move a unit aside that is edited, or not rolloutd's.")
]

_SECONDS = 30.0
_LAST_LINES = 10

_WHY = {
    74: "the database cannot be used",
    75: "another rolloutd works on this database: end it, and this one takes over",
    78: "a setting is wrong",
    203: "the interpreter cannot be started: install again from where rolloutd is now",
    217: "this system gives users no namespaces: install again",
    218: "this system gives users no capabilities: install again",
    226: "this system gives users no mounts, or a folder in the unit is gone: install again",
}


@service.command()
def install(
    *,
    now: Annotated[
        bool, typer.Option("--now", help="Start it, too; anew if it runs with an older unit.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the unit, and change nothing.")
    ] = False,
    force: Force = False,
    wait_seconds: Annotated[
        float, typer.Option(help="With --now: how long to watch the first backfill.")
    ] = _SECONDS,
    codex_home: CodexHome = None,
    database: Database = None,
    model_provider: ModelProvider = None,
) -> None:
    """Write the unit, with the settings that are in force now, and enable it.

    Settings of the command line and of the environment go into the unit; those of config.toml are
    read when the service starts.
    """
    overrides = {"codex_home": codex_home, "database": database, "model_provider": model_provider}
    settings = read_settings(**overrides)
    from rolloutd.systemd.systemctl import ManagerUnavailable, Systemctl

    systemctl = Systemctl()
    version = None
    try:
        version = systemctl.version()
    except ManagerUnavailable:
        if not dry_run:
            raise
    has_namespaces = version is None or systemctl.has_namespaces()
    text = _unit(settings, overrides, version, has_namespaces=has_namespaces)
    if dry_run:
        print_lines(text.removesuffix("\n").split("\n"))
        return
    found = _service()
    saved = found.write(text, force=force)
    if saved is not None:
        print_lines([f"moved to {saved}: the unit that was there"])
    print_lines([f"installed {found.path}, enabled"])
    if not has_namespaces:
        print_lines(["this system gives users no namespaces: it is confined less than it could be"])
    if now:
        _start(found, wait_seconds)
    elif found.has_to_start():
        print_lines(["start it now: systemctl --user restart rolloutd"])
    _say_lingering()


@service.command()
def uninstall(*, force: Force = False) -> None:
    """Stop the service and remove its unit; the database stays."""
    found = _service()
    there, is_left_over, elsewhere = found.file(), found.is_left_over(), found.elsewhere()
    saved = found.remove(force=force)
    did = "stopped, disabled and removed"
    if elsewhere is not None and (is_left_over or there is not None):
        print_lines([f"left alone: {elsewhere}, which systemd has of that name"])
        did = "removed"
    if is_left_over:
        print_lines([f"there was no {found.path} any more: {did} what was left of it"])
        return
    if there is None:
        print_lines([not_installed(str(found.path), elsewhere)])
        return
    if saved is not None:
        print_lines([f"moved to {saved}: the unit that was there"])
    lines = [f"{did} {found.path}"]
    if there.database is not None:
        lines.append(f"the database stays: {there.database}")
    print_lines(lines)


service.command()(status)


def _service() -> "Service":
    from rolloutd.places import units_folder
    from rolloutd.systemd.installation import Service
    from rolloutd.systemd.systemctl import Systemctl
    from rolloutd.systemd.unit import NAME

    systemctl = Systemctl()
    systemctl.version()
    return Service(systemctl, units_folder() / NAME)


def _unit(
    settings: "Settings", overrides: dict[str, Any], version: int | None, *, has_namespaces: bool
) -> str:
    import rolloutd
    from rolloutd.settings import environment_in_force
    from rolloutd.systemd.unit import Installation, render

    program = (Path(sys.prefix), Path(sys.base_prefix), Path(rolloutd.__file__).parent)
    return render(
        Installation(
            Path(sys.executable),
            program,
            settings.codex_home,
            settings.database,
            environment_in_force(overrides),
            version,
            has_namespaces,
        )
    )


def _start(found: "Service", seconds: float) -> None:
    from rolloutd.wording import printable

    if not found.has_to_start():
        print_lines(["runs already, with this unit"])
        return
    state = _watch(found, seconds)
    if state.is_failing:
        _fail(found, state)
    if state.active == "active":
        print_lines([f"runs: {printable(state.status)}"])
    else:
        doing = printable(state.status) or state.sub
        print_lines([f"starting: {doing}", "it goes on by itself: rolloutd service status"])


def _watch(found: "Service", seconds: float) -> "UnitState":
    from rich.console import Console
    from rich.text import Text

    from rolloutd.wording import printable

    with Console(stderr=True).status("starting") as shown:
        for state in found.start(seconds):
            shown.update(Text(printable(state.status) or state.sub))
    return state


def _fail(found: "Service", state: "UnitState") -> NoReturn:
    from rolloutd.wording import printable

    why = _WHY.get(state.exit_code or 0, f"{state.result}, exit code {state.exit_code}")
    said = [f"  {printable(line)}" for line in found.last_words(state, _LAST_LINES)]
    again = [] if state.active == "failed" else ["systemd tries again, every 10 s"]
    fail("\n".join([f"the service does not start: {why}", *said, *again]))


def _say_lingering() -> None:
    from rolloutd.systemd.installation import is_lingering, user_name

    if not is_lingering():
        always = f"loginctl enable-linger {user_name()}"
        print_lines([f"it runs while you are logged in; to have it run always: {always}"])
