"""The entry point: all commands on one command line, and where errors become exit codes."""

import gc
import sys
from importlib import import_module
from typing import Annotated, NoReturn

import typer
from typer.core import TyperCommand

from rolloutd import __version__
from rolloutd.commands.ending import exit_codes
from rolloutd.commands.output import print_lines
from rolloutd.commands.quick import Commands, QuickCommand
from rolloutd.signals import interrupt_again

_HELP = frozenset({"-h", "--help"})
# What is printed by others than `print_lines`.
_PRINTING = _HELP | {"--show-completion"}

# Each command: the module that has it, by which name, and whether it is understood quickly.
_COMMANDS = {
    "run": ("work", "run", TyperCommand),
    "backfill": ("work", "backfill", QuickCommand),
    "status": ("status", "status", TyperCommand),
    "list": ("listing", "list_threads", QuickCommand),
    "show": ("thread", "show", QuickCommand),
    "path": ("thread", "path", QuickCommand),
    "verify": ("verify", "verify", QuickCommand),
}
_SERVICE = "service"
_GARBAGE = 50_000


def _print_version(wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        print_lines([f"rolloutd {__version__}"])
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Keeps a SQLite index of every Codex CLI thread on this machine true and fresh."""


def application(asked: str | None = None) -> typer.Typer:
    """All commands on one command line; or the one that is asked for, if there is such a one.

    What the others need is not imported then: half as much as a command itself takes.
    """
    app = typer.Typer(
        name="rolloutd",
        cls=Commands,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": sorted(_HELP)},
        help="Keeps a SQLite index of every Codex CLI thread on this machine true and fresh.",
    )
    app.callback()(_root)
    is_one = asked in _COMMANDS or asked == _SERVICE
    for name, (module, function, kind) in _COMMANDS.items():
        if name == asked or not is_one:
            command = getattr(import_module(f"rolloutd.commands.{module}"), function)
            app.command(name, cls=kind)(command)
    if asked == _SERVICE or not is_one:
        from rolloutd.commands.service import service

        app.add_typer(service, name=_SERVICE)
    return app


def main() -> NoReturn:
    """Run a command; the exit codes are those of `rolloutd.errors`."""
    with exit_codes(prints=len(sys.argv) < 2 or not _PRINTING.isdisjoint(sys.argv)):
        command_line = application(next(iter(sys.argv[1:]), None))
        # What a command imports is little beside this.
        gc.freeze()
        gc.set_threshold(_GARBAGE)
        gc.enable()
        interrupt_again()
        command_line(prog_name="rolloutd")
    sys.exit(0)
