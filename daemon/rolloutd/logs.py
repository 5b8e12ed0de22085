"""Where log records go: standard error, in the form that suits whoever reads it."""

import json
import logging
import os
import queue
import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

# So many records wait for whoever reads them; for so long one waits for room among them, and for
# so long they are waited for in the end.
_WAITING_RECORDS = 1000
_ROOM_SECONDS = 0.1
_PATIENCE_SECONDS = 0.5
_JOURNAL_PRIORITIES = (
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (logging.NOTSET, 7),
)


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """`<N>message`, the prefix that systemd takes a priority from (sd-daemon(3))."""
        priority = next(value for level, value in _JOURNAL_PRIORITIES if record.levelno >= level)
        text = super().format(record)
        return "\n".join(f"<{priority}>{line}" for line in text.splitlines())


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One JSON object a line."""
        fields = {
            "time": self._time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)

    @staticmethod
    def _time(record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{stamp}.{int(record.msecs):03d}Z"


class _HandlerApart(logging.Handler):
    """Writes from a thread of its own, so that who logs never waits for who reads.

    A terminal may be held (Ctrl-S), a pipe full. What does not fit meanwhile is counted, up to
    when all that waits has been written.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._texts: queue.Queue[str | None] = queue.Queue(_WAITING_RECORDS)
        self._lost = 0
        # Not one that is waited for: it may never come back.
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Put it with those that wait."""
        if self._lost:
            self._lost += 1
            return
        try:
            self._texts.put(self.format(record), timeout=_ROOM_SECONDS)
        except queue.Full:
            self._lost = 1
        except Exception:  # noqa: BLE001  # As every handler: a log never hurts who logs.
            self.handleError(record)

    def close(self) -> None:
        """Wait for what waits, but not for long."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        try:
            self._texts.put(None, timeout=_PATIENCE_SECONDS)
        except queue.Full:
            pass
        else:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        super().close()

    def _write_all(self) -> None:
        while (text := self._texts.get()) is not None:
            self._write(text)
            if self._texts.empty():
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
        # Not by Python's stream, whose lock would be held for as long as this takes, and which is
        # flushed in the end.
        unwritten = memoryview(f"{text}\n".encode(errors="backslashreplace"))
        while unwritten:
            try:
                unwritten = unwritten[os.write(self._descriptor, unwritten) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError:
                return  # There is nowhere to say so.


@contextmanager
def written_apart() -> Iterator[None]:
    """Meanwhile, records of `rolloutd` are written by a thread of their own.

    Who logs does not wait, nor does the end, for longer than half a second.
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


def configure_logging(level: str, form: str) -> None:
    """Send records of `rolloutd` from `level` on to standard error.

    `auto` is `console` on a terminal, `journal` under systemd, else `plain`.
    """
    if form == "auto":
        form = "console" if sys.stderr.isatty() else "plain"
        form = "journal" if _journal_reads_us() else form
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(form))
    logger = logging.getLogger("rolloutd")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False


def _journal_reads_us() -> bool:
    # The variable is inherited by what a service starts (systemd.exec(5)): compare.
    status = os.fstat(sys.stderr.fileno())
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _formatter(form: str) -> logging.Formatter:
    match form:
        case "journal":
            return _JournalFormatter("%(message)s")
        case "json":
            return _JsonFormatter()
        case "console":
            return logging.Formatter("%(levelname)s %(message)s")
        case _:
            return logging.Formatter("%(asctime)s %(levelname)s %(message)s")
