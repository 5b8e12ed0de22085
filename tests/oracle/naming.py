"""What the threads of a home are called in the table of differences, and times to tell them by."""

from __future__ import annotations

import os
from pathlib import Path

from .compare import Rows

MINUTE_NS = 60 * 10**9
_NEWEST_NS = 1_790_000_000 * 10**9
_WORDS = 20


def set_mtimes(home: Path, apart_ns: int = MINUTE_NS) -> None:
    """Give all rollouts known times, in the order of their paths, the last one the oldest.

    Codex changes times that are equal, or nearly so, when it reads them.
    """
    roots = (home / "archived_sessions", home / "sessions")
    paths = sorted((path for root in roots for path in root.rglob("rollout-*")), key=os.fsencode)
    for place, path in enumerate(paths):
        at = _NEWEST_NS - place * apart_ns
        os.utime(path, ns=(at, at))


def names_of(home: str, rows: Rows) -> dict[str, str]:
    """How the table of differences calls the threads of a home: by their first words."""
    return {
        thread_id: f"{home}/{row['first_user_message'][:_WORDS]}"
        + (", archived" if row["archived"] else "")
        for thread_id, row in rows.items()
    }
