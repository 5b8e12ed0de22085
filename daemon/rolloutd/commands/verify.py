"""`rolloutd verify`."""

from typing import Annotated

import typer

from rolloutd.commands.options import (
    CodexHome,
    Database,
    Json,
    LogFormat,
    LogLevel,
    ModelProvider,
    read_quickly,
)
from rolloutd.commands.output import print_document, print_lines


def verify(  # noqa: PLR0913
    *,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Read every rollout from its start, and compare all that it says."
        ),
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put right what is wrong, and compare again.")
    ] = False,
    as_json: Json = False,
    codex_home: CodexHome = None,
    database: Database = None,
    model_provider: ModelProvider = None,
    wait_seconds: Annotated[
        float | None, typer.Option(help="How long to wait for another worker.")
    ] = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Compare the database with the rollouts; changes nothing without --repair.

    It may run beside the daemon, which then does the repairing.

    Exit codes: 0 all is true, or has been repaired; 1 it is not; 69 no home, or no sessions/ in
    it; 74 the database cannot be used; 75 another process is at it; 78 configuration.

    \b
    Examples:
      rolloutd verify                  by stamps, cursors and rows
      rolloutd verify --deep --json    for programs; reads every file
      rolloutd verify --repair         and puts right what it finds
    """  # noqa: D301
    settings = read_quickly(
        codex_home=codex_home,
        database=database,
        model_provider=model_provider,
        backfill_wait_seconds=wait_seconds,
        log_level=log_level,
        log_format=log_format,
    )
    from rolloutd.supervisor import run_verify

    verified = run_verify(settings, deep=deep, repair=repair)
    from rolloutd import verdict

    if as_json:
        print_document(verdict.document(verified))
    else:
        print_lines(verdict.lines(verified))
    if not verified.is_true:
        raise typer.Exit(1)
