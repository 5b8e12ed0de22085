"""Numbers and texts as a person reads them."""

import time


def size_text(size: float) -> str:
    """Bytes in the decimal unit that suits."""
    if size < 1000:
        return f"{size:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.95:  # what would be rounded up to 1000 is one of the next unit
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


def counted(count: int, thing: str) -> str:
    """So many of a thing whose plural takes an s."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def printable(text: str) -> str:
    """Text that cannot move the cursor or colour the terminal, whatever a file is called."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


# So much may another machine's clock be ahead of ours.
_SKEW_SECONDS = 60.0


def age_text(seconds: float) -> str:
    """A span of time in its largest unit."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def count_text(count: int) -> str:
    """A number in thousands, millions or billions."""
    if count < 1000:
        return str(count)
    number = float(count)
    for unit in ("k", "M"):
        number /= 1000
        if number < 999.95:
            return f"{number:.1f}{unit}"
    return f"{number / 1000:.1f}G"


def elapsed_text(now: float, at_ms: int | None) -> str:
    """How long ago; after a month, or of what is yet to come, the day.

    `now` in epoch seconds, `at_ms` in milliseconds; a "?" where that is not said.
    """
    if at_ms is None:
        return time_text(at_ms)
    seconds = now - at_ms / 1000
    if -_SKEW_SECONDS <= seconds < 30 * 86_400:
        return age_text(seconds)
    return time_text(at_ms).split(" ")[0]


def time_text(at_ms: int | None) -> str:
    """Date and time, in local time; `at_ms` in milliseconds since the epoch; a "?" for none."""
    if at_ms is None:
        return "?"
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_ms // 1000))
    except (OverflowError, ValueError, OSError):  # beyond what the system can tell
        return f"{at_ms} ms"


def path_text(path: str, home: str | None) -> str:
    """A path with the user's own folder as `~`."""
    if home is not None and (path == home or path.startswith(home + "/")):
        return "~" + path[len(home) :]
    return path
