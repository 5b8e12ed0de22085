"""The worker of the daemon: keeps one database true, for as long as it is let.

One thread does all of it: opens the database, has the backfill done, then goes where hints say
that something may have changed, and looks at everything every now and then. What goes wrong with
the database or the home is waited out here, and nowhere else.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rolloutd.backfill import Backfill, Terms
from rolloutd.batches import Batches, Observer, Stopped
from rolloutd.errors import DatabaseRefused, DatabaseUnavailable, HomeUnavailable, WorkHeld
from rolloutd.hints import Hints, Mailbox
from rolloutd.rollout.discovery import Candidate
from rolloutd.rollout.pool import ReaderPool
from rolloutd.state.database import CorruptDatabase, StateDatabase, identity_of, set_aside
from rolloutd.state.lease import LeaseLost
from rolloutd.steady import Steady

_log = logging.getLogger(__name__)

_HOME_SECONDS = 1.0
_BACKOFF_SECONDS = (0.1, 5.0)
# Another process's transaction is waited for only so long at a time, since we may have to stop.
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is to be kept true, and how; times in seconds."""

    codex_home: Path
    database: Path
    default_provider: str
    terms: Terms
    reconcile_seconds: float


@dataclass(slots=True)
class Progress:
    """How the worker is; read by other threads. Times in epoch seconds."""

    phase: str = "starting"
    problem: str | None = None
    last_reconcile: float | None = None
    lag_seconds: float | None = None


class Monitor:
    """Keeps the database true until it is asked to stop."""

    def __init__(
        self,
        keeping: Keeping,
        mailbox: Mailbox,
        observer: Observer,
        tell: Callable[[Progress], None],
    ) -> None:
        self._keeping = keeping
        self._mailbox = mailbox
        self._observer = observer
        self._tell = tell
        self._progress = Progress()
