"""Log records that are written by a thread of their own: who logs does not wait for who reads."""

import logging
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler

from rolloutd.writing import write_all

# So many records wait for whoever reads them; for so long one waits for room among them, and for
# so long they are waited for in the end.
_WAITING_RECORDS = 1000
_ROOM_SECONDS = 0.1
_PATIENCE_SECONDS = 0.5


class _HandlerApart(QueueHandler):
    """A terminal may be held (Ctrl-S), a pipe full.

    What does not fit meanwhile is counted, up to when all that waits has been written.
    """

    def __init__(self, descriptor: int) -> None:
        self._records: queue.Queue[logging.LogRecord | None] = queue.Queue(_WAITING_RECORDS)
        super().__init__(self._records)
        self._descriptor = descriptor
        self._lost = 0
        # Not one that is waited for: it may never come back. (So no `QueueListener`.)
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put it with those that wait, its message in its final form."""
        if self._lost:
            self._lost += 1
            return
        try:
            self._records.put(record, timeout=_ROOM_SECONDS)
        except queue.Full:
            self._lost = 1

    def close(self) -> None:
        """Wait for what waits, but not for long."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        with suppress(queue.Full):
            self._records.put(None, timeout=_PATIENCE_SECONDS)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        super().close()

    def _write_all(self) -> None:
        while (record := self._records.get()) is not None:
            self._write(record.msg)
            if self._records.empty():
                self._own_up()
        self._own_up()

    def _own_up(self) -> None:
        self.acquire()
        lost, self._lost = self._lost, 0
        self.release()
        if lost:
            message = "%d log records were lost here: nobody read them in time"
            told = logging.LogRecord(__name__, logging.WARNING, "", 0, message, (lost,), None)
            self._write(self.format(told))

    def _write(self, text: str) -> None:
        write_all(self._descriptor, f"{text}\n")


@contextmanager
def written_apart() -> Iterator[None]:
    """Meanwhile, records of `rolloutd` are written by a thread of their own.

    Who logs waits for a tenth of a second at most, and only once; the end for half a second.
    """
    logger = logging.getLogger("rolloutd")
    before = logger.handlers[:]
    apart = _HandlerApart(sys.stderr.fileno())
    apart.setFormatter(before[0].formatter)
    logger.handlers[:] = [apart]
    try:
        yield
    finally:
        logger.handlers[:] = before
        apart.close()
