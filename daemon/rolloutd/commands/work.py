"""`rolloutd run` and `rolloutd backfill`: keeping the index true."""

from typing import Annotated

import typer

from rolloutd.commands.once import backfill_once
from rolloutd.commands.options import (
    BatchSize,
    CodexHome,
    Database,
    Json,
    LeaseSeconds,
    LogFormat,
    LogLevel,
    ModelProvider,
    read_quickly,
    read_settings,
)
from rolloutd.commands.output import leave, leave_saying
from rolloutd.errors import RolloutdError


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
    settings = read_quickly(
        codex_home=codex_home,
        database=database,
        model_provider=model_provider,
        backfill_batch_size=batch_size,
        backfill_lease_seconds=lease_seconds,
        backfill_wait_seconds=wait_seconds,
        log_level=log_level,
        log_format=log_format,
    )
    backfill_once(settings, rebuild=rebuild, as_json=as_json)


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
    metrics_host: Annotated[
        str | None, typer.Option(help="Where to listen for Prometheus; by default 127.0.0.1.")
    ] = None,
    metrics_port: Annotated[
        str | None, typer.Option(help="A port; 0 takes a free one, 'off' turns it off.")
    ] = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Keep the index true until SIGTERM or Ctrl-C; SIGHUP looks at every file now.

    Exit codes: 0 stopped; 74 the database cannot be used; 75 a daemon runs on it already;
    78 configuration.
    """
    settings = read_settings(
        codex_home=codex_home,
        database=database,
        model_provider=model_provider,
        backfill_batch_size=batch_size,
        backfill_lease_seconds=lease_seconds,
        reconcile_seconds=reconcile_seconds,
        watch=watch,
        metrics_host=metrics_host,
        metrics_port=metrics_port,
        log_level=log_level,
        log_format=log_format,
    )
    from rolloutd.daemon import run_daemon

    try:
        run_daemon(settings)
    except RolloutdError as error:
        leave_saying(str(error), error.exit_code)
    leave()
