"""Every rollout of a home, where that is a home that can be seen."""

import stat
from collections.abc import Callable
from pathlib import Path

from rolloutd.errors import HomeUnavailable
from rolloutd.rollout.discovery import Discovery, discover, walk
from rolloutd.sight import HIDDEN, Sight
from rolloutd.state.connections import Connection
from rolloutd.state.database import StateDatabase
from rolloutd.state.rollouts import any_below


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
    try:
        # First: whoever waits for it asks every second, and there may be much in the archive.
        _refuse_absent(home)
        if database is not None:
            _refuse_hidden(home, database)
        discovery = discover(home, looking)
    except OSError as error:
        raise HomeUnavailable(home, str(error.strerror)) from error
    if "sessions" not in discovery.roots:
        raise HomeUnavailable(home, "there is no sessions/ in it")
    if "sessions" in discovery.unlisted:
        raise HomeUnavailable(home, "sessions/ cannot be listed")
    return discovery


def _refuse_absent(home: Path) -> None:
    for path, what in (
        (home, "no such Codex home"),
        (home / "sessions", "there is no sessions/ in it"),
    ):
        try:
            is_there = stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            is_there = False
        if not is_there:
            raise HomeUnavailable(home, what)


def _refuse_hidden(home: Path, database: StateDatabase) -> None:
    if any(walk(home, "sessions")):
        return
    with database.reading() as connection:
        if _hides_rows(connection, home, "sessions"):
            what = "its rows are kept (`rolloutd backfill --rebuild` drops them)"
            raise HomeUnavailable(home, f"sessions/ {HIDDEN}; {what}")
