"""Whether the home and its roots are there; that one is away, and back, is said once."""

import logging
from collections.abc import Callable
from pathlib import Path

from rolloutd.home_discovery import is_hidden
from rolloutd.meter import Meter
from rolloutd.rollout.discovery import Discovery, discover
from rolloutd.rollout.names import ARCHIVE
from rolloutd.sight import HIDDEN
from rolloutd.state.database import StateDatabase
from rolloutd.state.rollouts import any_below
from rolloutd.telling import Progress

_log = logging.getLogger(__name__)


class Presence:
    """What is there of one home; `is_missing` says that nothing can be told of it now."""

    def __init__(
        self, database: StateDatabase, home: Path, progress: Progress, meter: Meter
    ) -> None:
        self.is_missing = False
        self._database = database
        self._home = home
        self._progress = progress
        self._meter = meter
        self._is_archive_missing = False

    def discover(self, looking: Callable[[], None]) -> Discovery | None:
        """All of it; None if that cannot be told."""
        problem = discovery = None
        try:
            discovery = discover(self._home, looking)
        except OSError as error:
            problem = f"the home cannot be read: {error.strerror}"
        else:
            if "sessions" not in discovery.roots:
                problem = "there is no sessions/ in the home"
            elif "sessions" in discovery.unlisted:
                problem = "sessions/ cannot be listed"
            elif self._is_hidden(discovery, "sessions"):
                problem = f"sessions/ {HIDDEN}"
        if problem is not None or (discovery is not None and discovery.unlisted):
            self._meter.failed("discover")
        if problem is not None and not self.is_missing:
            _log.warning("%s; its rows are kept until it is there again", problem)
        elif problem is None and self.is_missing:
            _log.info("the home is there again")
        self.is_missing = problem is not None
        self._progress.problem = problem
        if discovery is not None:
            self._look_for_the_archive(discovery)
        return discovery

    def _look_for_the_archive(self, discovery: Discovery) -> None:
        is_there = ARCHIVE in discovery.roots
        # A home may well have none, but then there are no rows of it.
        is_missing = self._is_hidden(discovery, ARCHIVE) if is_there else self._has_rows(ARCHIVE)
        if is_missing and not self._is_archive_missing:
            _log.warning(
                "%s/ %s; its rows are kept until it is there again "
                "(`rolloutd backfill --rebuild` drops them, while no daemon runs)",
                ARCHIVE,
                HIDDEN if is_there else "is not there any more",
            )
        elif self._is_archive_missing and not is_missing:
            _log.info("%s/ is there again", ARCHIVE)
        self._is_archive_missing = is_missing

    def _is_hidden(self, discovery: Discovery, root: str) -> bool:
        with self._database.reading() as connection:
            return is_hidden(connection, discovery, root)

    def _has_rows(self, root: str) -> bool:
        with self._database.reading() as connection:
            return any_below(connection, root) is not None
