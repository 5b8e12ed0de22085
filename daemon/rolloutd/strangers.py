"""What other programs write into the database: seen within seconds, and put right.

A question that found a row wrong has marked it, or somebody has meddled with rows. Or somebody has
tables of their own here, and writes into them all the time: that must not cost much. So it counts
what came of the last time.
"""

import time
from collections.abc import Callable
from math import inf

from rolloutd.agreement import Agreement
from rolloutd.indexer import Indexer
from rolloutd.state import rollouts
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease
from rolloutd.telling import Progress

_LOOK_SECONDS = 2.0
# Seeing to what they have written takes one part in so many of the time at most, where rows of ours
# were wrong; and where they were not, in which case there is no hurry.
_SHARE = 20
_IDLE_SHARE = 100


class Strangers:
    """Whoever else writes while the lease is ours; one of these for each lease.

    `between` is called every now and then while all threads are compared, and may raise.

    Attributes:
        are_seen: nothing was written when it was last asked whether there is something.
        due: when it is to be asked again, on the monotonic clock, if it was too early last time.
    """

    def __init__(
        self,
        database: StateDatabase,
        indexer: Indexer,
        progress: Progress,
        between: Callable[[], None],
    ) -> None:
        self._database = database
        self._indexer = indexer
        self._progress = progress
        self._between = between
        self.are_seen = False
        self.due = inf
        self._changes = database.foreign_changes()
        self._is_doubtful = False
        self._share = _SHARE
        self._look_due = self._agreement_due = 0.0

    def call_for_a_look(self, took: float, ended: float) -> bool:
        """Whether everything is to be compared for their sake; costs next to nothing.

        The last time that was done it `took` so many seconds, and `ended` then, on the monotonic
        clock.
        """
        now, due = time.monotonic(), max(self._look_due, ended + self._share * took)
        if now < due:
            self.are_seen, self.due = False, due
            return False
        self.due = inf
        self._look_due = now + _LOOK_SECONDS
        self.are_seen = self._database.foreign_changes() == self._changes
        return not self.are_seen

    def note(self) -> bool:
        """Whether they may have written over anything; to be asked before all is compared."""
        changes = self._database.foreign_changes()
        self._is_doubtful |= changes != self._changes
        self._changes = changes
        return self._is_doubtful

    def suspect(self) -> None:
        """Take it that they have, however much they have cost."""
        self._is_doubtful, self._agreement_due = True, 0.0

    def distrust(self, lease: Lease) -> None:
        """Have files read again whose rows contradict themselves, if it is time to look at that.

        Raises:
            LeaseLost: see `Lease.transaction`.
        """
        if self._is_doubtful and time.monotonic() >= self._agreement_due:
            with self._database.reading() as connection:
                paths = rollouts.contradictory(connection)
            if paths:
                with lease.transaction() as connection:
                    rollouts.distrust(connection, paths)

    def put_right(self, lease: Lease) -> bool:
        """Bring threads and files to agree, if there is reason to and it is time to.

        On the home and provider that they rest on, whatever anybody has written there.

        Returns whether any did not, so that some files may have to be read again.

        Raises:
            LeaseLost: see `Lease.transaction`.
        """
        began = time.monotonic()
        was_wrong = False
        if self._is_doubtful and began >= self._agreement_due:
            with lease.transaction() as connection:
                self._indexer.bind(connection)
            agreement = Agreement(self._database, self._indexer, self._between)
            was_wrong = agreement.restore(lease)
            ended = time.monotonic()
            self._share = _SHARE if was_wrong else _IDLE_SHARE
            self._agreement_due = ended if was_wrong else ended + _IDLE_SHARE * (ended - began)
            self._is_doubtful = False
            self._progress.strangers += 1
        return was_wrong
