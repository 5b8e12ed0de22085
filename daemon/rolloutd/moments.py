"""Points in time as a person names them, to milliseconds since the epoch."""

import re
from datetime import datetime, timedelta

from rolloutd.errors import BadUsage

_ALLOWED = (
    "a date (2026-01-31), a time (2026-01-31T12:00, with an offset or in local time), "
    "or an age (90s, 30min, 12h, 7d, 2w)"
)
_AGE = re.compile(r"(\d{1,9})(s|min|h|d|w)", re.ASCII)
_DATE = re.compile(r"(\d{4}-\d\d-\d\d)([T ].+)?", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def moment_ms(option: str, text: str, now: float, *, ends: bool = False) -> int:
    """What `text`, given to `option`, means; `now` in epoch seconds.

    A date begins at midnight, local time. If it is where something `ends`, that day belongs to it.

    Raises:
        BadUsage: it means nothing.
    """
    try:
        return round(_seconds(text, now, ends=ends) * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise BadUsage(f"{option} {text!r}: allowed is {_ALLOWED}") from error


def _seconds(text: str, now: float, *, ends: bool) -> float:
    age = _AGE.fullmatch(text)
    if age is not None:
        return now - int(age[1]) * _SECONDS[age[2]]
    written = _DATE.fullmatch(text)
    if written is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    if ends and written[2] is None:
        moment += timedelta(days=1)
    # Without an offset, this takes it for local time.
    return moment.timestamp()
