"""Writing to a descriptor, past Python's streams.

Those hold a lock for as long as whoever reads lets them wait, and are flushed once more in the end.
"""

import os
import select
from contextlib import suppress


def write_all(descriptor: int, text: str) -> None:
    """Write all of a text, however long that takes; or what can be, if nobody can read the rest."""
    unwritten = memoryview(text.encode(errors="backslashreplace"))
    with suppress(OSError):  # Errors are told here: there is nowhere else.
        while unwritten:
            try:
                unwritten = unwritten[os.write(descriptor, unwritten) :]
            except BlockingIOError:
                select.select([], [descriptor], [])
