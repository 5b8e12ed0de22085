"""What is known of where the output goes."""

import os
import shutil
import sys
from dataclasses import dataclass

# Where lines end in a pipe, or in a file.
_UNBOUNDED_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class Terminal:
    """How many columns there are, and whether to use colours."""

    width: int
    colour: bool

    @classmethod
    def of_output(cls) -> "Terminal":
        """Where standard output goes; no colours but on a terminal, nor under `NO_COLOR`."""
        width = shutil.get_terminal_size((_UNBOUNDED_COLUMNS, 24)).columns
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return cls(width, sys.stdout.isatty() and not plain)
