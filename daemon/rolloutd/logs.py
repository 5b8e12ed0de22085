"""Where log records go: standard error, in the form that suits whoever reads it."""

import json
import logging
import os
import sys
import time

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
