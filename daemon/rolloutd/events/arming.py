"""The watches that this system has.

On Linux those of inotify itself, which tells when it has dropped something, and lets us sleep until
there is something; elsewhere watchfiles'.
"""

import sys
from pathlib import Path

from rolloutd.events.watches import Watches

_HAS_INOTIFY = sys.platform == "linux"


def armed(home: Path) -> Watches:
    """Watches on all that is there now: the roots with all below them, and the session index.

    Raises:
        OSError: they cannot be had.
    """
    if _HAS_INOTIFY:
        from rolloutd.events.directories import DirectoryWatches

        return DirectoryWatches(home)
    from rolloutd.events.trees import TreeWatches

    return TreeWatches(home)
