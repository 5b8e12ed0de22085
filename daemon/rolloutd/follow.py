"""Following: from hints to rows, within a lease."""

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from rolloutd.batches import Batches, gone_of, readings_of
from rolloutd.hints import Hints
from rolloutd.indexer import Indexer
from rolloutd.reconcile import has_changed, jobs_of
from rolloutd.rollout.discovery import Candidate, look, walk
from rolloutd.rollout.session_index import read_session_names
from rolloutd.state import rollouts
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease

_log = logging.getLogger(__name__)


class Follower:
    """Looks where hints point, and indexes what has changed there."""

    def __init__(
        self, database: StateDatabase, home: Path, indexer: Indexer, batches: Batches
    ) -> None:
        self._database = database
        self._home = home
        self._indexer = indexer
        self._batches = batches

    def follow(self, lease: Lease, hints: Hints) -> list[Candidate]:
        """Make the rows of what the hints name true; returns the files that were indexed.

        Raises:
            Stopped, LeaseLost: see `Batches.read`.
        """
        paths = dict.fromkeys(_plain(path) for path in self._named(hints))
        present: dict[str, Candidate] = {}
        absent: list[str] = []
        for path in paths:
            try:
                found = _visible(self._home, path)
            except OSError:
                continue  # It cannot be told what is there: the row stays as it is.
            present |= {candidate.path: candidate for candidate in found}
            absent += [each for each in (path, path + ".zst") if each not in present]
        with self._database.reading() as connection:
            stamps = rollouts.stamps(connection, [*present, *absent])
        changed = [
            each for path, each in present.items() if has_changed(each, stamps.get(path))
        ]
        gone = [path for path in absent if path in stamps and self._has_root(path)]
        for batch in self._batches.read(lease, changed, jobs_of(self._database, changed)):
            with lease.transaction() as connection:
                self._indexer.store(connection, readings_of(batch), gone_of(batch))
        if gone:
            with lease.transaction() as connection:
                self._indexer.store(connection, [], gone)
        return changed

    def follow_names(self, lease: Lease) -> None:
        """Take over the names of the session index, if it can be read."""
        try:
            names = read_session_names(self._home)
        except OSError as error:
            _log.warning("the session index cannot be read: %s", error.strerror)
            return
        with lease.transaction() as connection:
            self._indexer.store_names(connection, names)

    def _named(self, hints: Hints) -> Iterator[str]:
        yield from hints.files
        for directory in hints.directories:
            if _is_real_directory(self._home, directory):
                yield from (candidate.path for candidate in walk(self._home, directory))

    def _has_root(self, path: str) -> bool:
        return (self._home / path.split("/", 1)[0]).is_dir()


def _plain(path: str) -> str:
    return path.removesuffix(".zst")


def _visible(home: Path, path: str) -> list[Candidate]:
    """The plain file, or else its compressed form; both if the plain one is no regular file."""
    plain = look(home, path)
    if plain is not None and plain.problem is None:
        return [plain]
    compressed = look(home, path + ".zst")
    return [each for each in (plain, compressed) if each is not None]


def _is_real_directory(home: Path, relative: str) -> bool:
    parts = relative.split("/")
    steps: Iterable[str] = ("/".join(parts[:depth]) for depth in range(2, len(parts) + 1))
    return not any(os.path.islink(home / step) for step in steps)
