"""Reconcile: make the database say what is on disk now, reading only what has changed."""

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import partial

from rolloutd.batches import Batches, Observer
from rolloutd.indexer import Indexer
from rolloutd.meter import UNMETERED, Drift, Meter
from rolloutd.records import PARSER_VERSION
from rolloutd.refresh import Chosen, Refresh
from rolloutd.rollout.discovery import Discovery
from rolloutd.sight import Sight
from rolloutd.staleness import has_changed, is_only_outdated, offset_of
from rolloutd.state import rollouts
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Files that were compared, read because they had changed, indexed, and dropped.

    `drift` says of each file that has changed since its row was written in which way.
    """

    scanned: int
    read: int
    upserted: int
    removed: int
    drift: dict[str, Drift] = field(default_factory=dict)


class Reconcile:
    """Compares every file with its cursor."""

    def __init__(
        self,
        database: StateDatabase,
        indexer: Indexer,
        batches: Batches,
        observer: Observer,
        meter: Meter = UNMETERED,
    ) -> None:
        self._database = database
        self._indexer = indexer
        self._batches = batches
        self._observer = observer
        self._meter = meter

    def run(
        self,
        lease: Lease,
        discovery: Discovery,
        *,
        leaves_outdated: bool = False,
        keeps_hidden: bool = True,
    ) -> Reconciled:
        """Index what is new or has changed, then drop what is gone.

        In this order, so that a thread whose file has moved is never absent in between. What
        another version has read is read again, unless that is left for later. Rows of what is
        out of sight (see `Sight`) go only if it does not `keeps_hidden`.

        Raises:
            Stopped, LeaseLost: see `Batches.read`, `Lease.transaction`.
        """
        there = {each.path: each for each in discovery.candidates}
        unlike = {each.path: each.packed for each in discovery.candidates}
        offsets: dict[str, int] = {}
        drift: dict[str, Drift] = {}
        absent = []
        is_gone = _seen_by(discovery, there, keeps_hidden=keeps_hidden)
        with self._database.reading() as connection:
            for path, row in rollouts.seen_unless(connection, unlike):
                candidate = there.get(path)
                if candidate is None:
                    if is_gone(path, row.device):
                        absent.append(path)
                elif has_changed(candidate, row) and not (
                    leaves_outdated and is_only_outdated(candidate, row)
                ):
                    offsets[path] = offset_of(candidate, row)
                    # What is not of this version is read again whether it has changed or not.
                    if row.parser_version == PARSER_VERSION:
                        drift[path] = "stale"
                else:
                    del unlike[path]
        changed = [there[path] for path in unlike]
        unread = sum(each.size - offsets.get(each.path, 0) for each in changed)
        drift |= {path: "missing" for path in unlike if path not in offsets}
        if changed:
            self._observer.expect(len(changed), unread)
        refresh = Refresh(self._database, discovery.home, self._indexer, self._batches, self._meter)
        done = refresh.index(lease, Chosen(changed, unread), absent)
        is_gone = _seen_by(discovery.still_there(), there, keeps_hidden=keeps_hidden)
        gone = refresh.drop(lease, done, is_gone)
        drift |= dict.fromkeys(gone, "gone")
        count = len(discovery.candidates)
        return Reconciled(count, len(changed), done.threads, len(gone), drift)


def _seen_by(
    discovery: Discovery, there: Container[str], *, keeps_hidden: bool
) -> Callable[[str, int | None], bool]:
    sight = Sight(discovery.home)
    return partial(sight.is_gone, discovery=discovery, there=there, keeps_hidden=keeps_hidden)
