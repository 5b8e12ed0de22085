"""The composition root of the daemon: opens, starts, orders and closes everything that lives long.

lock -> signals -> endpoint, listening -> watch, armed
     -> monitor (database, backfill, steady state), in a thread

What the service manager is told is seen from the event loop, so that both have to live.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable

import anyio
import anyio.to_thread
from prometheus_client import CollectorRegistry

# Others import it when they need it. A daemon may need it when nothing can be read.
import rolloutd.rollout.zstd_source  # noqa: F401
from rolloutd import __version__
from rolloutd.batches import Terms
from rolloutd.condition import Condition
from rolloutd.endpoint.listener import Endpoint
from rolloutd.endpoint.pages import Pages
from rolloutd.errors import DatabaseUnavailable, RolloutdError
from rolloutd.hints import Mailbox
from rolloutd.instance import Instance, single_instance
from rolloutd.logs_apart import written_apart
from rolloutd.metrics.collectors import register_collectors
from rolloutd.metrics.exposition import Exposition
from rolloutd.metrics.work import WorkMetrics
from rolloutd.monitor import Monitor
from rolloutd.settings import Settings, take_service_variables
from rolloutd.signals import heard
from rolloutd.steady import Keeping
from rolloutd.systemd.notify import Notifier
from rolloutd.systemd.supervised import Supervised
from rolloutd.watch import Watcher

_log = logging.getLogger(__name__)


def run_daemon(settings: Settings) -> None:
    """Keep the database true until SIGTERM or SIGINT.

    Raises:
        RolloutdError: see its kinds.
    """
    try:
        with (
            written_apart(),
            Notifier.of(take_service_variables()) as notifier,
            single_instance(settings.database) as instance,
        ):
            anyio.run(_serve, settings, instance, notifier)
    except BaseExceptionGroup as group:
        raise _first(group) from None
    except OSError as error:
        raise DatabaseUnavailable(settings.database, str(error.strerror)) from error


async def _serve(settings: Settings, instance: Instance, notifier: Notifier) -> None:
    mailbox = Mailbox()
    registry = CollectorRegistry()
    work = WorkMetrics(registry)
    watcher = Watcher(settings.codex_home, mailbox, settings.watch, work)
    condition = Condition(
        instance,
        watcher,
        mailbox,
        reconcile_seconds=settings.reconcile_seconds,
        has_endpoint=settings.metrics_port != "off",
    )
    register_collectors(registry, work, condition, settings.database, lambda: mailbox.stopping)
    monitor = Monitor(_keeping(settings), mailbox, condition.progress, work)
    condition.tell(now=True)
    supervised = Supervised(notifier)
    reports = _Reports(supervised, condition)
    _log.info("rolloutd %s, process %d", __version__, os.getpid())
    loop = asyncio.get_running_loop()
    with heard(loop, _asking(loop, mailbox, supervised, reports)):
        async with anyio.create_task_group() as group:
            if notifier.has_listener:
                group.start_soon(reports.run, name="report")
            if settings.metrics_port != "off":
                pages = Pages(Exposition(registry), condition.why_not_ready, settings.metrics_host)
                endpoint = Endpoint(
                    settings.metrics_host,
                    settings.metrics_port,
                    pages.answer,
                    heard=condition.hear_endpoint,
                    failed=lambda: work.failed("endpoint"),
                )
                await group.start(endpoint.serve, name="endpoint")
            group.start_soon(_watch, watcher, mailbox, name="watch")
            await watcher.armed.wait()
            try:
                await anyio.to_thread.run_sync(monitor.run)
            finally:
                supervised.stopping()
                mailbox.stop()
                group.cancel_scope.cancel()
    _log.info("stopped")


class _Reports:
    """To the service manager: often while it waits for something, seldom else."""

    def __init__(self, supervised: Supervised, condition: Condition) -> None:
        self._supervised = supervised
        self._condition = condition
        self._due = anyio.Event()

    def hurry(self) -> None:
        """The manager waits for something now."""
        self._due.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self._due = anyio.Event()
            self._supervised.look(self._condition.signs())
            with anyio.move_on_after(self._supervised.pause):
                await self._due.wait()


def _asking(
    loop: asyncio.AbstractEventLoop, mailbox: Mailbox, supervised: Supervised, reports: _Reports
) -> Callable[[int], None]:
    """Hears signals; what they ask for is done by the event loop, between two of its steps."""

    def ask(number: int) -> None:
        if number == signal.SIGHUP:
            supervised.reloading()
            reports.hurry()
            mailbox.ask_reconcile(urgent=True)
        else:
            supervised.stopping()
            mailbox.stop()

    def hear(number: int) -> None:
        loop.call_soon_threadsafe(ask, number)

    return hear


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
        leaves_outdated=True,
    )
    return Keeping(
        settings.codex_home,
        settings.database,
        settings.model_provider,
        terms,
        settings.reconcile_seconds,
    )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one that the user is to be told of."""
    told = group.subgroup(RolloutdError) or group
    found: BaseException = told
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
