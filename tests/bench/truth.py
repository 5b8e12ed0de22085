"""Whether a daemon's database is true: does it equal a fresh backfill's?"""

from __future__ import annotations

import time
from pathlib import Path

from tests.daemon.living import content
from tests.running import Dump, dump, fresh

from .measure import RunError

SETTLE_SECONDS = 10.0
LOOK_SECONDS = 0.1


def see_true(home: Path, database: Path) -> None:
    """Raise RunError unless every table is, within SETTLE_SECONDS, what a fresh backfill writes."""
    expected = content(fresh(home))
    deadline = time.monotonic() + SETTLE_SECONDS
    while content(found := dump(database)) != expected:
        if time.monotonic() > deadline:
            raise RunError(f"the database is not true: {_difference(found, fresh(home))}")
        time.sleep(LOOK_SECONDS)


def _difference(found: Dump, expected: Dump) -> str:
    for table, rows in expected.items():
        missing = [row for row in rows if row not in found[table]]
        extra = [row for row in found[table] if row not in rows]
        if table != "backfill_state" and (missing or extra):
            return f"{table}: {len(missing)} rows missing, {len(extra)} too many"
    return "of an earlier moment"
