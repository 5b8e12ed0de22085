"""Following: from hints to rows, within a lease."""

import logging
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rolloutd.batches import FEW_BYTES, FEW_FILES, Batches, readings_of
from rolloutd.hints import Hints
from rolloutd.indexer import Indexer
from rolloutd.meter import UNMETERED, Meter
from rolloutd.reconcile import has_changed, jobs_of, offset_of
from rolloutd.rollout.discovery import Candidate, look, walk
from rolloutd.rollout.names import elsewhere
from rolloutd.rollout.session_index import read_session_names
from rolloutd.state import rollouts
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

    indexed: list[Candidate] = field(default_factory=list)
    gone: int = 0
    heavy: list[str] = field(default_factory=list)
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
        self._database = database
        self._home = home
        self._indexer = indexer
        self._batches = batches
        self._meter = meter

    def follow(self, lease: Lease, hints: Hints, *, heavy: bool = False) -> Followed:
        """Make the rows of what the hints name true; of heavy files only if `heavy`.

        What has appeared is indexed before what is gone is dropped, so that a thread whose file
        has moved is never absent in between.

        Raises:
            Stopped, LeaseLost: see `Batches.read`, `Lease.transaction`.
        """
        done = Followed()
        present, absent = self._look(self._named(hints, done), done)
        with self._database.reading() as connection:
            rows = dict(rollouts.seen(connection, [*present, *absent]))
        changed: list[Candidate] = []
        unread = 0
        for path, candidate in present.items():
            row = rows.get(path)
            if has_changed(candidate, row):
                size = candidate.size - offset_of(candidate, row)
                is_little = unread + size <= FEW_BYTES and len(changed) < FEW_FILES
                if heavy or is_little:
                    unread += size
                    changed.append(candidate)
                else:
                    done.heavy.append(path)
        jobs = jobs_of(self._database, changed)
        for batch in self._batches.read(changed, jobs, unread):
            with lease.transaction() as connection:
                self._indexer.store(connection, readings_of(batch))
            done.indexed += [each.candidate for each in batch if each.reading is not None]
            absent += [each.candidate.path for each in batch if each.reading is None]
        gone = [path for path in absent if path in rows and self._has_root(path)]
        if gone and not done.heavy:
            with lease.transaction() as connection:
                self._indexer.store(connection, [], gone)
            done.gone = len(gone)
            self._meter.removed(done.gone)
        elif gone:
            # One of them may have become one of the heavy files.
            done.heavy += gone
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
        named = dict.fromkeys(map(_plain, hints.files))
        for directory in hints.directories:
            if not _is_real_directory(self._home, directory):
                continue
            for candidate in walk(self._home, directory):
                if candidate.problem is None:
                    named[_plain(candidate.path)] = None
                else:
                    done.obscure = True
        return named

    def _look(
        self, named: dict[str, None], done: Followed
    ) -> tuple[dict[str, Candidate], list[str]]:
        """What is there, and the watermarks at which there is nothing to be indexed."""
        present: dict[str, Candidate] = {}
        absent: dict[str, None] = {}
        todo = list(named)
        for path in todo:
            try:
                found = {candidate.path: candidate for candidate in _visible(self._home, path)}
            except OSError:
                done.obscure = True  # It cannot be told what is there: the row stays as it is.
                continue
            present |= found
            absent |= dict.fromkeys(each for each in (path, path + ".zst") if each not in found)
            if not found and path in named:
                # What has left one root has most often gone to the other, whose event may come
                # later, or never.
                todo += (each for each in elsewhere(path) if each not in named)
        return present, list(absent)

    def _has_root(self, path: str) -> bool:
        return (self._home / path.split("/", 1)[0]).is_dir()


def _plain(path: str) -> str:
    return path.removesuffix(".zst")


def _visible(home: Path, path: str) -> Iterator[Candidate]:
    """The plain file, or else its compressed form; both if the plain one is no regular file."""
    plain = look(home, path)
    if plain is not None:
        yield plain
        if plain.problem is None:
            return
    compressed = look(home, path + ".zst")
    if compressed is not None:
        yield compressed


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
