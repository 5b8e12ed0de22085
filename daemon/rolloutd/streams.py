"""Standard input, output and error, as the rest of the program may take them to be."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path

_LAST_STREAM = 2


def prepare_streams() -> None:
    """Make sure that there are three, whatever we were started with."""
    # The next files that are opened get the places of streams that are closed: what is written to
    # one of those must not end in a file of ours.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _LAST_STREAM:
        pass
    os.close(descriptor)
    # Python has None for those.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    # Titles may be in any script, and a terminal of one only.
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
