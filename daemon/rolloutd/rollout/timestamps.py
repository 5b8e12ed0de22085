"""Timestamps as rollouts spell them, to milliseconds since the epoch.

What is accepted beyond the letter of RFC 3339 (a space for the `T`, leap seconds, unpadded
numbers in the form of file names) was established by asking Codex.
"""

import re
from datetime import date

_NAME_FORM = re.compile(
    r"\s*\+?(\d{1,4})-(\d{1,2})-(\d{1,2})T(\d{1,2})-(\d{1,2})-(\d{1,2})", re.ASCII
)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))",
    re.ASCII,
)
_EPOCH = date(1970, 1, 1).toordinal()
_DAYS_IN_400_YEARS = 146_097


def parse_timestamp(text: str) -> int | None:
    """Milliseconds since the epoch, truncated, or None if `text` is no timestamp.

    RFC 3339 with any offset, or `YYYY-MM-DDThh-mm-ss` in UTC.
    """
    match = None if text.endswith("Z") else _NAME_FORM.fullmatch(text)
    if match is not None:
        *rest, second = map(int, match.groups())
        seconds = _seconds((*rest, 59 if second == 60 else second))
        return None if seconds is None else seconds * 1000
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    *whole, fraction, sign, hours, minutes = match.groups()
    seconds = _seconds(tuple(map(int, whole)))
    if seconds is None:
        return None
    if sign is not None:
        if int(hours) > 23 or int(minutes) > 59:
            return None
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds -= offset if sign == "+" else -offset
    return seconds * 1000 + int((fraction or "0")[:3].ljust(3, "0"))


def _seconds(moment: tuple[int, ...]) -> int | None:
    year, month, day, hour, minute, second = moment
    # Second 60 is a leap second; it counts on into the next minute.
    if hour > 23 or minute > 59 or second > 60:
        return None
    shift = _DAYS_IN_400_YEARS if year == 0 else 0  # Python's calendar begins with year 1.
    try:
        days = date(400 if year == 0 else year, month, day).toordinal() - shift - _EPOCH
    except ValueError:
        return None
    return days * 86400 + hour * 3600 + minute * 60 + second
