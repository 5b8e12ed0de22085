"""How a person sees a backfill: a bar on a terminal, a line in the log elsewhere."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rolloutd.backfill import describe_holder
from rolloutd.batches import Observer
from rolloutd.state.lease import BackfillState

_log = logging.getLogger(__name__)

_TELL_SECONDS = 10.0


class QuietObserver:
    """Tells nothing but that it has to wait, and for whom."""

    def __init__(self) -> None:
        self._told = -_TELL_SECONDS

    def looking(self) -> None:
        """See `Observer`."""

    def expect(self, files: int, size: int) -> None:
        """See `Observer`."""

    def advance(self, files: int, size: int) -> None:
        """See `Observer`."""

    def wait(self, state: BackfillState) -> None:
        """Say so every now and then."""
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self._told = time.monotonic()
            _log.warning("waiting: %s", describe_holder(state))


@contextmanager
def progress_bar(work: str) -> Iterator[Observer]:
    """A bar of this work, with files, bytes, rate and time left, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield QuietObserver()
        return
    # Rich takes a tenth of a second to import, which only a person has to spare.
    from rolloutd.progress_bar import BarObserver

    with BarObserver(work) as observer:
        yield observer
