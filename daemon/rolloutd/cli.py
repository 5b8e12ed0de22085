"""The commands. Each reads the settings, calls one function below, and prints."""

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from rolloutd import __version__
from rolloutd.errors import RolloutdError

app = typer.Typer(
    name="rolloutd",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keeps a SQLite index of every Codex CLI thread on this machine true and fresh.",
)

CodexHome = Annotated[
    Path | None, typer.Option(help="The Codex home to index; by default $CODEX_HOME, or ~/.codex.")
]
Database = Annotated[
    Path | None,
    typer.Option(help="The database; by default ~/.local/state/rolloutd/state.sqlite."),
]
ModelProvider = Annotated[
    str | None,
    typer.Option(
        help="Provider of threads that name none; by default that of Codex's own config.toml."
    ),
]
BatchSize = Annotated[int | None, typer.Option(help="Files a transaction.")]
LeaseSeconds = Annotated[float | None, typer.Option(help="How long a claim holds.")]
LogLevel = Annotated[str | None, typer.Option(help="debug, info, warning or error.")]
LogFormat = Annotated[str | None, typer.Option(help="auto, console, plain, journal or json.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _print_version(wanted: bool) -> None:  # noqa: FBT001
    if wanted:
        typer.echo(f"rolloutd {__version__}")
        raise typer.Exit


@app.callback()
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


@app.command()
def backfill(  # noqa: PLR0913
    *,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Read every rollout again. Readers keep the old rows."),
    ] = False,
    as_json: Json = False,
    codex_home: CodexHome = None,
    database: Database = None,
    model_provider: ModelProvider = None,
    batch_size: BatchSize = None,
    lease_seconds: LeaseSeconds = None,
    wait_seconds: Annotated[
        float | None, typer.Option(help="How long to wait for another worker.")
    ] = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Index every rollout, or, once that is complete, what has changed since.

    Exit codes: 0 done; 69 no home, or no sessions/ in it; 74 the database cannot be used;
    75 another process is at it; 78 configuration.
    """
    settings = _settings(
        codex_home=codex_home,
        database=database,
        model_provider=model_provider,
        backfill_batch_size=batch_size,
        backfill_lease_seconds=lease_seconds,
        backfill_wait_seconds=wait_seconds,
        log_level=log_level,
        log_format=log_format,
    )
    from rolloutd.supervisor import run_backfill

    result = run_backfill(settings, rebuild=rebuild)
    from rolloutd import report

    _print(report.backfill_document(result) if as_json else report.backfill_lines(result))


@app.command()
def run(  # noqa: PLR0913
    *,
    codex_home: CodexHome = None,
    database: Database = None,
    model_provider: ModelProvider = None,
    batch_size: BatchSize = None,
    lease_seconds: LeaseSeconds = None,
    reconcile_seconds: Annotated[
        float | None, typer.Option(help="How often to compare every file with its row.")
    ] = None,
    watch: Annotated[str | None, typer.Option(help="auto, native or poll.")] = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Keep the index true until SIGTERM or Ctrl-C; SIGHUP looks at every file now.

    Exit codes: 0 stopped; 74 the database cannot be used; 75 a daemon runs on it already;
    78 configuration.
    """
    settings = _settings(
        codex_home=codex_home,
        database=database,
        model_provider=model_provider,
        backfill_batch_size=batch_size,
        backfill_lease_seconds=lease_seconds,
        reconcile_seconds=reconcile_seconds,
        watch=watch,
        log_level=log_level,
        log_format=log_format,
    )
    from rolloutd.daemon import run_daemon

    run_daemon(settings)


@app.command()
def status(
    *,
    as_json: Json = False,
    codex_home: CodexHome = None,
    database: Database = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Show how the daemon is, how far the backfill is, and what the database holds."""
    settings = _settings(
        codex_home=codex_home, database=database, log_level=log_level, log_format=log_format
    )
    from rolloutd import report
    from rolloutd.instance import running_daemon
    from rolloutd.state.database import StateDatabase

    with StateDatabase.open_reader(settings.database) as opened:
        document = report.status_document(opened, running_daemon(settings.database))
    _print(document if as_json else report.status_lines(document, time.time()))


def main() -> NoReturn:
    """The console script; the exit codes are those of `rolloutd.errors`."""
    _open_closed_streams()
    # Imports make much that stays and no garbage: looking for some takes a tenth of their time.
    gc.freeze()
    gc.set_threshold(50_000)
    try:
        app()
    except RolloutdError as error:
        _fail(str(error), error.exit_code)
    sys.exit(0)


def _open_closed_streams() -> None:
    # Started without them, Python has None for streams, and the next file opened gets their place.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115


def _settings(**overrides: Any) -> Any:
    from rolloutd.logs import configure_logging
    from rolloutd.settings import load_settings

    settings = load_settings(overrides)
    configure_logging(settings.log_level, settings.log_format)
    return settings


def _print(content: Any) -> None:
    lines = content if isinstance(content, list) else [json.dumps(content, indent=2)]
    try:
        sys.stdout.writelines(f"{line}\n" for line in lines)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # Whoever reads has seen enough; typer ends the program without a word.
    except OSError as error:
        # What is still held back must not fail once more when Python flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail(f"the output cannot be written: {error.strerror}")


def _fail(message: str, code: int = 1) -> NoReturn:
    sys.stderr.write(f"rolloutd: {message}\n")
    sys.exit(code)
