"""Every rollout of a home, where that is a home that can be seen."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from rolloutd.errors import HomeUnavailable
from rolloutd.rollout.discovery import Discovery, discover, walk
from rolloutd.sight import Sight
from rolloutd.state.database import StateDatabase
from rolloutd.state.rollouts import any_below

HIDDEN = "is empty, on another file system than its rollouts were"


def is_hidden(connection: Connection, discovery: Discovery, root: str) -> bool:
    """Whether a root was found empty, and hides what there are rows of."""
    if root not in discovery.roots or discovery.finds_below(root):
        return False
    return _hides_rows(connection, discovery.home, root)


def _hides_rows(connection: Connection, home: Path, root: str) -> bool:
    one = any_below(connection, root)
    return one is not None and Sight(home).hides(*one)


def discover_all(
    home: Path, looking: Callable[[], None], database: StateDatabase | None = None
) -> Discovery:
    """Every rollout of a home that is there; `looking` as for `discover`.

    Raises:
        HomeUnavailable: it is not, or has no `sessions/` that can be listed, or that hides what the
            database has rows of.
    """
    if database is not None and not any(walk(home, "sessions")):
        # Whoever waits for it asks every second: without a look at all of the archive.
        with database.reading() as connection:
            if _hides_rows(connection, home, "sessions"):
                what = "its rows are kept (`rolloutd backfill --rebuild` drops them)"
                raise HomeUnavailable(home, f"sessions/ {HIDDEN}; {what}")
    try:
        discovery = discover(home, looking)
    except OSError as error:
        raise HomeUnavailable(home, str(error.strerror)) from error
    if not discovery.roots and not home.is_dir():
        raise HomeUnavailable(home, "no such Codex home")
    if "sessions" not in discovery.roots:
        raise HomeUnavailable(home, "there is no sessions/ in it")
    if "sessions" in discovery.unlisted:
        raise HomeUnavailable(home, "sessions/ cannot be listed")
    return discovery
