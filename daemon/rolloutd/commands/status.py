"""`rolloutd status`."""

import time

import typer

from rolloutd.commands.options import (
    CodexHome,
    Database,
    Json,
    LogFormat,
    LogLevel,
    read_settings,
)
from rolloutd.commands.output import print_document, print_lines
from rolloutd.errors import DatabaseUnavailable


def status(
    *,
    as_json: Json = False,
    codex_home: CodexHome = None,
    database: Database = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Show how the daemon is, how far the backfill is, and what the database holds.

    Where that cannot be opened, a daemon that runs is shown all the same.
    """
    settings = read_settings(
        codex_home=codex_home, database=database, log_level=log_level, log_format=log_format
    )
    from rolloutd import report
    from rolloutd.instance import running_daemon
    from rolloutd.state.database import StateDatabase

    daemon = running_daemon(settings.database)
    problem = None
    try:
        with StateDatabase.open_reader(settings.database) as opened:
            document = report.status_document(opened, daemon)
    except DatabaseUnavailable as error:
        if daemon is None:
            raise
        problem = error
        document = report.unopened_document(settings.database, daemon, str(error))
    if as_json:
        print_document(document)
    else:
        print_lines(report.status_lines(document, time.time()))
    if problem is not None:
        raise typer.Exit(problem.exit_code)
