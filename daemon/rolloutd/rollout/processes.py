"""Reader processes: how many suit this machine, and their start.

Quick to import: they can start while their parent imports the rest of itself.
"""

import os
import signal
import subprocess
import sys

from rolloutd.rollout.lines import LINE_LIMIT_BYTES

# More readers than this would wait for the disk, or for the one writer.
MOST_READERS = 4


def reader_count() -> int:
    """How many readers suit this machine."""
    return max(1, min(MOST_READERS, len(os.sched_getaffinity(0)))) if _LINUX else MOST_READERS


_LINUX = hasattr(os, "sched_getaffinity")


def start_reader(home: str, line_limit: int = LINE_LIMIT_BYTES) -> "subprocess.Popen[bytes]":
    """Start one; it ends when its standard input does."""
    # -P: the current directory must not be able to replace our modules.
    command = [sys.executable, "-P", "-m", "rolloutd.rollout.worker", home, str(line_limit)]
    # What ends a whole group is for the parent alone, from the reader's first moment on.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
