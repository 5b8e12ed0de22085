"""Reconcile: make the database say what is on disk now, reading only what has changed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rolloutd.batches import Batches, Observer
from rolloutd.errors import HomeUnavailable
from rolloutd.indexer import Indexer
from rolloutd.meter import UNMETERED, Drift, Meter
from rolloutd.records import PARSER_VERSION
from rolloutd.refresh import Chosen, Refresh
from rolloutd.rollout.discovery import Discovery, discover
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
        self, lease: Lease, discovery: Discovery, *, leaves_outdated: bool = False
    ) -> Reconciled:
        """Index what is new or has changed, then drop what is gone.

        In this order, so that a thread whose file has moved is never absent in between. What
        another version has read is read again, unless that is left for later.

        Raises:
            Stopped, LeaseLost: see `Batches.read`, `Lease.transaction`.
        """
        there = {each.path: each for each in discovery.candidates}
        unlike = {each.path: each.packed for each in discovery.candidates}
        offsets: dict[str, int] = {}
        drift: dict[str, Drift] = {}
        absent = []
        with self._database.reading() as connection:
            for path, row in rollouts.seen_unless(connection, unlike):
                candidate = there.get(path)
                if candidate is None:
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
        done = refresh.index(lease, Chosen(changed, unread), filter(discovery.covers, absent))
        gone = refresh.drop(lease, done.missing, discovery.still_there().covers)
        drift |= dict.fromkeys(gone, "gone")
        count = len(discovery.candidates)
        return Reconciled(count, len(changed), done.threads, len(gone), drift)


def discover_all(home: Path, looking: Callable[[], None]) -> Discovery:
    """Every rollout of a home that is there; `looking` as for `discover`.

    Raises:
        HomeUnavailable: it is not, or has no `sessions/` that can be listed.
    """
    try:
        discovery = discover(home, looking)
    except OSError as error:
        raise HomeUnavailable(f"{home}: {error.strerror}") from error
    if not discovery.roots and not home.is_dir():
        raise HomeUnavailable(f"{home}: no such Codex home")
    if "sessions" not in discovery.roots:
        raise HomeUnavailable(f"{home}: there is no sessions/ in it")
    if "sessions" in discovery.unlisted:
        raise HomeUnavailable(f"{home}: sessions/ cannot be listed")
    return discovery
