"""The composition root: opens, starts, orders and closes everything that lives long."""

import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rolloutd.backfill import Backfill, Report
from rolloutd.batches import Observer, Terms
from rolloutd.errors import DatabaseUnavailable, WorkHeld
from rolloutd.rollout.pool import ReaderPool
from rolloutd.settings import Settings
from rolloutd.state.database import CorruptDatabase, StateDatabase, identity_of, set_aside
from rolloutd.state.lease import LeaseLost

_log = logging.getLogger(__name__)

_ATTEMPTS = 3


class StopRequest:
    """Set by the first SIGTERM or SIGINT; work looks at it between two steps."""

    def __init__(self) -> None:
        self._asked = False

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._asked

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listen to SIGTERM and SIGINT meanwhile."""
        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self._ask) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True


def run_backfill(
    settings: Settings, pool: ReaderPool, observer: Observer, *, rebuild: bool
) -> Report:
    """The one-shot pass, or a reconcile where it is complete; see `Backfill.run`.

    A corrupt database is moved aside, and built anew.

    Raises:
        RolloutdError: see its kinds.
        Stopped: on SIGTERM or SIGINT.
    """
    stop = StopRequest()
    with stop.on_signals():
        for _ in range(_ATTEMPTS - 1):
            file = identity_of(settings.database)
            try:
                return _backfill_once(settings, pool, observer, stop, rebuild=rebuild)
            except CorruptDatabase as error:
                _log.warning("%s", error)
                target = set_aside(settings.database, file)
                if target is not None:
                    _log.warning("moved to %s, building a new one", target.name)
            except DatabaseUnavailable:
                # Another process may have moved it aside while we opened it.
                if file is None or identity_of(settings.database) == file:
                    raise
        return _backfill_once(settings, pool, observer, stop, rebuild=rebuild)


def _backfill_once(
    settings: Settings, pool: ReaderPool, observer: Observer, stop: StopRequest, *, rebuild: bool
) -> Report:
    terms = Terms(
        settings.backfill_batch_size,
        settings.backfill_lease_seconds,
        settings.backfill_wait_seconds,
    )
    with StateDatabase.open_writer(settings.database) as database:
        backfill = Backfill(
            database,
            settings.codex_home,
            settings.model_provider,
            pool,
            observer,
            terms=terms,
            stopping=stop,
        )
        try:
            return backfill.run(rebuild=rebuild)
        except LeaseLost as error:
            raise WorkHeld("another process has taken over the work from this one") from error
