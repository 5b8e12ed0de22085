"""Following: from hints to rows, within a lease."""

import logging
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rolloutd.batches import Batches
from rolloutd.hints import Hints
from rolloutd.indexer import Indexer
from rolloutd.meter import UNMETERED, Meter
from rolloutd.refresh import Refresh
from rolloutd.rollout.discovery import Candidate, walk
from rolloutd.rollout.session_index import FILE_NAME, read_session_names
from rolloutd.rollout.whereabouts import forms_of, plain_of, visible
from rolloutd.sight import Sight
from rolloutd.stamp import Stamp, stamp_of
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
        self._names: Stamp | Literal["unknown"] = "unknown"
        self._names_problem: str | None = None

    def follow(self, lease: Lease, hints: Hints, *, heavy: bool = False) -> Followed:
        """Make the rows of what the hints name true; of heavy files only if `heavy`.

        What has appeared is indexed before what is gone is dropped, so that a thread whose file
        has moved is never absent in between.

        Raises:
            Stopped, LeaseLost: see `Batches.read`, `Lease.transaction`.
        """
        done = Followed()
        named: dict[str, Candidate | None] = dict.fromkeys(map(plain_of, hints.files))
        named |= self._walked(hints, done)
        present, hidden, absent = self._look(named, done)
        chosen = self._refresh.choose(present, hidden, light=not heavy)
        refreshed = self._refresh.index(lease, chosen, absent, light=not heavy)
        done.indexed, done.heavy = refreshed.indexed, refreshed.heavy
        done.obscure |= refreshed.obscure
        if done.heavy:
            # What is missing may have become one of the heavy files.
            done.heavy = [*done.heavy, *refreshed.missing]
        else:
            covers = Sight(self._home).covers
            done.gone = len(self._refresh.drop(lease, refreshed, covers))
        return done

    def follow_names(self, lease: Lease) -> None:
        """Take over the names of the session index, if it can be read.

        Where the home is away, as one that is not mounted, names are kept with the rows.
        """
        stamp = stamp_of(self._home / FILE_NAME)
        # As far as can be seen: of what is closed to us, nothing is gone.
        if stamp is None and not os.path.isdir(self._home / "sessions"):  # noqa: PTH112
            self._names = "unknown"
            return
        try:
            names = read_session_names(self._home)
        except OSError as error:
            if error.strerror != self._names_problem:  # It is tried with every look.
                self._names_problem = error.strerror
                _log.warning("the session index cannot be read: %s", error.strerror)
            self._meter.failed("names")
            self._names = "unknown"
            return
        self._names_problem = None
        with lease.transaction() as connection:
            self._indexer.store_names(connection, names)
        self._names = stamp

    def follow_changed_names(self, lease: Lease) -> None:
        """The same, if the session index is not what it was when it was last taken over."""
        if self._names != stamp_of(self._home / FILE_NAME):
            self.follow_names(lease)

    def _walked(self, hints: Hints, done: Followed) -> dict[str, Candidate | None]:
        """Watermarks below directories, without the ending of compressed ones.

        With what is there, if that is the plain file: it need not be looked at once more.
        """
        walked: dict[str, Candidate | None] = {}
        for directory in _topmost(hints.directories):
            if not _is_real_directory(self._home, directory):
                continue
            for candidate in walk(self._home, directory):
                plain = plain_of(candidate.path)
                if candidate.problem is not None:
                    done.obscure = True
                elif plain == candidate.path:
                    walked[plain] = candidate
                else:
                    walked.setdefault(plain)
        return walked

    def _look(
        self, named: Mapping[str, Candidate | None], done: Followed
    ) -> tuple[dict[str, Candidate], list[str], list[str]]:
        """What is there, in which forms it is not, and what is in neither form there."""
        present: dict[str, Candidate] = {}
        hidden, absent = [], []
        for path, seen in named.items():
            try:
                forms = visible(self._home, path) if seen is None else (seen,)
                found = {candidate.path: candidate for candidate in forms}
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


def _topmost(directories: Collection[str]) -> Iterator[str]:
    """Those that lie below none of the others."""
    for directory in directories:
        parts = directory.split("/")
        if not any("/".join(parts[:depth]) in directories for depth in range(1, len(parts))):
            yield directory


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
