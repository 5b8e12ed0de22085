"""The composition root: opens, starts, orders and closes everything that lives long."""

import gc
import logging
import signal
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypeAlias

from rolloutd.early import begin
from rolloutd.errors import DatabaseUnavailable, WorkHeld
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state.file import identity_of, set_aside

if TYPE_CHECKING:
    from rolloutd.backfill import Report
    from rolloutd.batches import Observer, Terms
    from rolloutd.mending import Mended
    from rolloutd.quick_settings import QuickSettings
    from rolloutd.settings import Settings
    from rolloutd.state.faults import CorruptDatabase
    from rolloutd.state.reader import StateReader
    from rolloutd.verify.repair import Verified

_log = logging.getLogger(__name__)

WorkSettings: TypeAlias = "Settings | QuickSettings"

_ATTEMPTS = 3
_GARBAGE = 10_000
# Whoever has asked has the answer, and waits for the prompt only.
_MENDING_PATIENCE = 1.0


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
    settings: WorkSettings, *, rebuild: bool, early: ReaderPool | None = None
) -> "Report":
    """The one-shot pass, or a reconcile where it is complete; see `Backfill.run`.

    `early` are readers of this home that may be at work already. A corrupt database is moved
    aside, and built anew.

    Raises:
        RolloutdError: see its kinds.
        Stopped: on SIGTERM or SIGINT.
    """
    with ExitStack() as stack:
        stop = StopRequest()
        stack.enter_context(stop.on_signals())
        pool = stack.enter_context(early or ReaderPool(str(settings.codex_home)))
        # The readers work while we import the database's half of the program.
        begin(pool, settings.database)
        gc.disable()  # as while the other half was imported
        from rolloutd.progress import progress_bar
        from rolloutd.state.faults import CorruptDatabase

        observer = stack.enter_context(progress_bar("backfill"))
        for _ in range(_ATTEMPTS - 1):
            file = identity_of(settings.database)
            try:
                return _backfill_once(settings, pool, observer, stop, rebuild=rebuild)
            except CorruptDatabase as error:
                _set_aside(settings.database, file, error)
            except DatabaseUnavailable:
                # Another process may have moved it aside while we opened it.
                if file is None or identity_of(settings.database) == file:
                    raise
        return _backfill_once(settings, pool, observer, stop, rebuild=rebuild)


def _backfill_once(
    settings: WorkSettings,
    pool: ReaderPool,
    observer: "Observer",
    stop: StopRequest,
    *,
    rebuild: bool,
) -> "Report":
    from rolloutd.backfill import Backfill
    from rolloutd.state.database import StateDatabase

    # All is imported, and stays; from here on there is garbage, which takes room until it is found.
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    gc.enable()
    with StateDatabase.open_writer(settings.database) as database:
        backfill = Backfill(
            database,
            settings.codex_home,
            settings.model_provider,
            pool,
            observer,
            terms=_terms(settings),
            stopping=stop,
        )
        return backfill.run(rebuild=rebuild)


def _set_aside(
    database: Path, file: tuple[int, int] | None, error: "CorruptDatabase"
) -> Path | None:
    from rolloutd.state.faults import explained

    _log.warning("the database: %s", error.why)
    with explained(database):
        target = set_aside(database, file)
    if target is not None:
        _log.warning("moved to %s, building a new one", target.name)
    return target


def run_verify(settings: WorkSettings, *, deep: bool, repair: bool) -> "Verified":
    """Compare the database with the files; see `Verification.run` and `Repair.run`.

    With `repair`, a corrupt database is moved aside and built anew.

    Raises:
        RolloutdError: see its kinds.
        Stopped: on SIGTERM or SIGINT.
    """
    from rolloutd.state.faults import CorruptDatabase

    file = identity_of(settings.database)
    try:
        return _verify_once(settings, deep=deep, repair=repair)
    except CorruptDatabase as error:
        if not repair:
            raise
        # A backfill alone may well not come by what is damaged.
        moved = _set_aside(settings.database, file, error)
        run_backfill(settings, rebuild=False)
        verified = _verify_once(settings, deep=deep, repair=repair)
        return verified.after_rebuilding(str(error), None if moved is None else str(moved))


def _verify_once(settings: WorkSettings, *, deep: bool, repair: bool) -> "Verified":
    from rolloutd.progress import progress_bar
    from rolloutd.state.connections import PATIENCE_SECONDS
    from rolloutd.state.database import StateDatabase
    from rolloutd.verify.repair import Repair, Verified
    from rolloutd.verify.verification import Verification

    # Repairing makes no database where there is none, but brings an older one up to date.
    writes = repair and identity_of(settings.database) is not None
    terms = _terms(settings)
    with ExitStack() as stack:
        stop = StopRequest()
        stack.enter_context(stop.on_signals())
        database = stack.enter_context(
            StateDatabase.open_writer(
                settings.database,
                patience=min(max(terms.wait_seconds, _MENDING_PATIENCE), PATIENCE_SECONDS),
            )
            if writes
            else StateDatabase.open_reader(settings.database)
        )
        pool = stack.enter_context(ReaderPool(str(settings.codex_home)))
        observer = stack.enter_context(progress_bar("verify"))
        common = (database, settings.codex_home, settings.model_provider, pool, observer)
        verification = Verification(*common, terms=terms, stopping=stop, deep=deep)
        if not repair:
            return Verified(verification.run())
        return Repair(*common, terms=terms, stopping=stop).run(verification)


def _terms(settings: WorkSettings) -> "Terms":
    from rolloutd.batches import Terms

    return Terms(
        settings.backfill_batch_size,
        settings.backfill_lease_seconds,
        settings.backfill_wait_seconds,
    )


@contextmanager
def asked_of_files(
    home: Path, default_provider: str, paths: Collection[str] | None = None
) -> Iterator["StateReader"]:
    """Something to ask that says what the files say; see `read_from_files`."""
    from rolloutd.batches import Batches, Terms
    from rolloutd.progress import progress_bar
    from rolloutd.scratch import read_from_files

    with ReaderPool(str(home)) as pool, ExitStack() as shown:
        observer = shown.enter_context(progress_bar("reading"))
        batches = Batches(pool, observer, Terms().batch_size, stopping=lambda: False)
        with read_from_files(home, default_provider, batches, observer, paths) as reader:
            shown.close()
            yield reader


def mend_threads(
    settings: WorkSettings, thread_ids: Collection[str], paths: Collection[str]
) -> "Mended":
    """Make the rows of these threads true, of which these files are known; see `Mending.run`.

    Raises:
        WorkHeld: whoever holds the work will do it.
        DatabaseUnavailable, ConfigurationError: nobody can.
        Stopped: on SIGTERM or SIGINT.
    """
    from rolloutd.batches import Batches
    from rolloutd.mending import Mending
    from rolloutd.progress import QuietObserver
    from rolloutd.state.database import StateDatabase
    from rolloutd.state.lease import LeaseLost

    stop = StopRequest()
    with (
        stop.on_signals(),
        ReaderPool(str(settings.codex_home)) as pool,
        StateDatabase.open_writer(settings.database, patience=_MENDING_PATIENCE) as database,
    ):
        batches = Batches(pool, QuietObserver(), settings.backfill_batch_size, stop)
        mending = Mending(database, settings.codex_home, batches, settings.backfill_lease_seconds)
        try:
            return mending.run(thread_ids, paths)
        except LeaseLost as error:
            raise WorkHeld("another process has taken over the work") from error
