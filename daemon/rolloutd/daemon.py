"""The composition root of the daemon: opens, starts, orders and closes everything that lives long.

lock -> signals -> watch, armed -> monitor (database, backfill, steady state), in a thread
"""

import logging
import os
import signal
import time

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from rolloutd import __version__
from rolloutd.batches import Terms
from rolloutd.errors import DatabaseUnavailable, RolloutdError
from rolloutd.hints import Mailbox
from rolloutd.instance import DaemonState, Instance, single_instance
from rolloutd.monitor import Monitor
from rolloutd.settings import Settings
from rolloutd.steady import Keeping, Progress
from rolloutd.watch import Watcher

_log = logging.getLogger(__name__)

_TELL_SECONDS = 1.0


def run_daemon(settings: Settings) -> None:
    """Keep the database true until SIGTERM or SIGINT.

    Raises:
        RolloutdError: see its kinds.
    """
    try:
        with single_instance(settings.database) as instance:
            anyio.run(_serve, settings, instance)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    except OSError as error:
        raise DatabaseUnavailable(f"{settings.database}: {error.strerror}") from error


async def _serve(settings: Settings, instance: Instance) -> None:
    mailbox = Mailbox()
    watcher = Watcher(settings.codex_home, mailbox, settings.watch)
    teller = _Teller(instance, watcher, mailbox)
    monitor = Monitor(_keeping(settings), mailbox, teller.progress)
    teller.tell(now=True)
    _log.info("rolloutd %s, process %d", __version__, os.getpid())
    async with anyio.create_task_group() as group:
        await group.start(_listen, mailbox, name="signals")
        group.start_soon(_watch, watcher, mailbox, name="watch")
        await watcher.armed.wait()
        try:
            await anyio.to_thread.run_sync(monitor.run)
        finally:
            mailbox.stop()
            group.cancel_scope.cancel()
    _log.info("stopped")


async def _listen(
    mailbox: Mailbox, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            if number == signal.SIGHUP:
                mailbox.ask_reconcile(urgent=True)
            else:
                mailbox.stop()


async def _watch(watcher: Watcher, mailbox: Mailbox) -> None:
    try:
        await anyio.to_thread.run_sync(watcher.run)
    finally:
        # Nobody hears of a failure before the worker has ended.
        mailbox.stop()


def _keeping(settings: Settings) -> Keeping:
    terms = Terms(
        settings.backfill_batch_size,
        settings.backfill_lease_seconds,
        settings.backfill_wait_seconds,
    )
    return Keeping(
        settings.codex_home,
        settings.database,
        settings.model_provider,
        terms,
        settings.reconcile_seconds,
    )


class _Teller:
    """Says how we are, for `rolloutd status`."""

    def __init__(self, instance: Instance, watcher: Watcher, mailbox: Mailbox) -> None:
        self.progress = Progress(self.tell)
        self._instance = instance
        self._watcher = watcher
        self._mailbox = mailbox
        self._since_ms = time.time_ns() // 1_000_000
        self._told = -_TELL_SECONDS

    def tell(self, now: bool) -> None:  # noqa: FBT001
        """Say it; unless it is to be known `now`, not more than once a second."""
        if not now and time.monotonic() - self._told < _TELL_SECONDS:
            return
        self._told = time.monotonic()
        progress = self.progress
        self._instance.tell(
            DaemonState(
                pid=os.getpid(),
                since_ms=self._since_ms,
                phase=progress.phase,
                watch=self._watcher.mode,
                watch_problem=self._watcher.problem,
                watch_restarts=self._watcher.restarts,
                last_event_ms=_ms(self._watcher.last_event),
                last_reconcile_ms=_ms(progress.last_reconcile),
                lag_ms=_ms(progress.lag),
                queue=self._mailbox.waiting(),
                problem=progress.problem,
            )
        )


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one that the user is to be told of."""
    told = group.subgroup(RolloutdError) or group
    found: BaseException = told
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
