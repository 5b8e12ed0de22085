"""Following: from hints to rows, within a lease."""

import logging
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rolloutd.batches import Batches
from rolloutd.hints import Hints
from rolloutd.indexer import Indexer
from rolloutd.meter import UNMETERED, Meter
from rolloutd.refresh import Refresh
from rolloutd.rollout.discovery import Candidate, walk
from rolloutd.rollout.session_index import read_session_names
from rolloutd.rollout.whereabouts import forms_of, plain_of, visible
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Followed:
    """What came of some hints.

    Attributes:
        indexed: files whose rows are true now.
        gone: how many rows were dropped.
        heavy: watermarks of files that make this more than a little to read: others should not
            wait for them, and the readers may be at work already.
        obscure: there is something that only a reconcile can judge.
    """

    indexed: Sequence[Candidate] = ()
    gone: int = 0
    heavy: Sequence[str] = ()
    obscure: bool = False


class Follower:
    """Looks where hints point, and indexes what has changed there."""

    def __init__(
        self,
        database: StateDatabase,
        home: Path,
        indexer: Indexer,
        batches: Batches,
        meter: Meter = UNMETERED,
    ) -> None:
        self._home = home
        self._indexer = indexer
        self._meter = meter
        self._refresh = Refresh(database, home, indexer, batches, meter)

    def follow(self, lease: Lease, hints: Hints, *, heavy: bool = False) -> Followed:
        """Make the rows of what the hints name true; of heavy files only if `heavy`.

        What has appeared is indexed before what is gone is dropped, so that a thread whose file
        has moved is never absent in between.

        Raises:
            Stopped, LeaseLost: see `Batches.read`, `Lease.transaction`.
        """
        done = Followed()
        present, hidden, absent = self._look(self._named(hints, done), done)
        chosen = self._refresh.choose(present, hidden, light=not heavy)
        refreshed = self._refresh.index(lease, chosen, absent, light=not heavy)
        done.indexed, done.heavy = refreshed.indexed, refreshed.heavy
        done.obscure |= refreshed.obscure
        if done.heavy:
            # What is missing may have become one of the heavy files.
            done.heavy = [*done.heavy, *refreshed.missing]
        else:
            done.gone = len(self._refresh.drop(lease, refreshed.missing, self._has_root))
        return done

    def follow_names(self, lease: Lease) -> bool:
        """Take over the names of the session index; false if it cannot be read."""
        try:
            names = read_session_names(self._home)
        except OSError as error:
            _log.warning("the session index cannot be read: %s", error.strerror)
            self._meter.failed("names")
            return False
        with lease.transaction() as connection:
            self._indexer.store_names(connection, names)
        return True

    def _named(self, hints: Hints, done: Followed) -> dict[str, None]:
        """Watermarks to look at, without the ending of compressed ones."""
        named = dict.fromkeys(map(plain_of, hints.files))
        for directory in hints.directories:
            if not _is_real_directory(self._home, directory):
                continue
            for candidate in walk(self._home, directory):
                if candidate.problem is None:
                    named[plain_of(candidate.path)] = None
                else:
                    done.obscure = True
        return named

    def _look(
        self, named: dict[str, None], done: Followed
    ) -> tuple[dict[str, Candidate], list[str], list[str]]:
        """What is there, in which forms it is not, and what is in neither form there."""
        present: dict[str, Candidate] = {}
        hidden, absent = [], []
        for path in named:
            try:
                found = {candidate.path: candidate for candidate in visible(self._home, path)}
            except OSError:
                done.obscure = True  # It cannot be told what is there: the row stays as it is.
                continue
            present |= found
            rest = [each for each in forms_of(path) if each not in found]
            if found:
                hidden += rest
            else:
                absent += rest
        return present, hidden, absent

    def _has_root(self, path: str) -> bool:
        return (self._home / path.split("/", 1)[0]).is_dir()


def _is_real_directory(home: Path, relative: str) -> bool:
    """Whether a walk from the roots would come by this directory."""
    root, *below = relative.split("/")
    here = home / root
    try:
        for name in below:
            here /= name
            if not stat.S_ISDIR(here.lstat().st_mode):
                return False
        return here.is_dir()
    except OSError:
        return False
