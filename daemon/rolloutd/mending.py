"""Mending some threads: their files are read anew, from the start, and indexed.

Only whoever holds the lease writes rows. Where that is somebody else (a daemon, a backfill),
the rows of these files are marked as not to be built upon, and the holder's next look at
everything reads those files again: within `reconcile_seconds`, and with no second writer. The
mark is one short transaction that takes nothing from the holder; a reading that it had begun
before may write over it, and then the next question finds the row wrong again.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from rolloutd.backfill import describe_holder
from rolloutd.batches import Batches, Stopped
from rolloutd.errors import WorkHeld
from rolloutd.indexer import Indexer
from rolloutd.refresh import Refresh
from rolloutd.rollout.discovery import Candidate
from rolloutd.rollout.whereabouts import forms_of, look_around, plain_of
from rolloutd.sight import Sight
from rolloutd.state import rollouts, tally
from rolloutd.state.database import StateDatabase
from rolloutd.state.home import binding_of, refuse_other_home
from rolloutd.state.lease import Lease, Work, claim, read_state
from rolloutd.state.threads import delete_strays, present_threads


class Mended(NamedTuple):
    """What came of it.

    Attributes:
        is_all: whether all rows are true now; of some files it may not be to be told whether they
            are there.
        dropped: threads that have no file any more, where one was looked for.
    """

    is_all: bool
    dropped: int


class Mending:
    """Makes the rows of some threads true again, whatever they say now."""

    def __init__(
        self, database: StateDatabase, home: Path, batches: Batches, lease_seconds: float
    ) -> None:
        self._database = database
        self._home = home
        self._batches = batches
        self._lease_seconds = lease_seconds

    def run(self, thread_ids: Collection[str], paths: Collection[str] = ()) -> Mended:
        """Read all files of these threads again, and these files, and write what they say.

        Of what is gone the rows are dropped, if its root is there.

        Raises:
            WorkHeld: somebody else will do it, or the backfill has to come first.
            ConfigurationError: the database is another home's.
            LeaseLost: it was taken over meanwhile; nothing was written after that.
            Stopped: on request.
        """
        with self._database.reading() as connection:
            refuse_other_home(connection, str(self._home))
            bound = binding_of(connection)
            known = [path for each in thread_ids for path in rollouts.paths_of(connection, each)]
        suspects = {*known, *paths}
        lease = claim(self._database, Work.RECONCILE, self._lease_seconds)
        if lease is None or bound is None:
            raise WorkHeld(self._leave_it(suspects))
        try:
            with lease.kept():
                # Rows of one database rest on one home and provider: those that it is bound to.
                mended = self._mend(lease, Indexer(*bound), suspects, thread_ids)
        except Stopped:
            lease.release()
            raise
        lease.release()
        return mended

    def _leave_it(self, paths: Collection[str]) -> str:
        sight = Sight(self._home)
        with self._database.transaction() as connection:
            # What is out of sight is no worse for that.
            rows = list(rollouts.seen(connection, paths))
            seen = [path for path, row in rows if not sight.hides(path, row.device)]
            rollouts.distrust(connection, seen)
            state = read_state(connection)
        if state.owner is None:
            return "the backfill is not complete: `rolloutd backfill` goes on with it"
        return describe_holder(state)

    def _mend(
        self, lease: Lease, indexer: Indexer, paths: Collection[str], thread_ids: Collection[str]
    ) -> Mended:
        present, absent, unclear = self._look(paths)
        with lease.transaction() as connection:
            rollouts.distrust(connection, present)
        refresh = Refresh(self._database, self._home, indexer, self._batches)
        done = refresh.index(lease, refresh.choose(present, (), light=False), absent)
        refresh.drop(lease, done, Sight(self._home).covers)
        with lease.transaction() as connection:
            # Also what no file speaks of, or was written past the files.
            indexer.merge_threads(connection, thread_ids)
            delete_strays(connection)
            progress = tally.totals(connection).progress
            dropped = len(set(thread_ids) - present_threads(connection, thread_ids))
            is_all = not any(rollouts.seen(connection, [*done.missing, *unclear]))
        with lease.transaction(**progress):
            pass
        return Mended(is_all and not done.obscure, dropped)

    def _look(self, paths: Iterable[str]) -> tuple[dict[str, Candidate], list[str], list[str]]:
        """What is on disk; the watermarks at which there is nothing; those that cannot be told."""
        present: dict[str, Candidate] = {}
        absent: list[str] = []
        unclear: list[str] = []
        for plain in dict.fromkeys(map(plain_of, sorted(paths))):
            try:
                found = {candidate.path: candidate for candidate in look_around(self._home, plain)}
            except OSError:
                unclear += forms_of(plain)  # Their rows stay as they are.
                continue
            present |= found
            absent += [path for path in forms_of(plain) if path not in found]
        return present, absent, unclear
