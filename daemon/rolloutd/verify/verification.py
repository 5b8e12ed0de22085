"""One verification: everything is compared, and what may only have changed is looked at again."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rolloutd.agreement import Agreement
from rolloutd.backfill import describe_holder
from rolloutd.batches import Batches, Observer, Stopped, Terms
from rolloutd.errors import WorkHeld
from rolloutd.home_discovery import discover_all
from rolloutd.indexer import Indexer
from rolloutd.rollout.discovery import Candidate, Discovery
from rolloutd.rollout.pool import ReaderPool
from rolloutd.sight import Sight
from rolloutd.state import rollouts
from rolloutd.state.connections import Connection
from rolloutd.state.database import StateDatabase
from rolloutd.state.home import binding_of, refuse_other_home
from rolloutd.state.lease import read_state
from rolloutd.verify.files import Files
from rolloutd.verify.findings import MENDABLE, NOTES, Finding, Kind, Verdict, subject
from rolloutd.verify.whole import (
    compare_home,
    compare_names,
    compare_state,
    is_at_work,
    notes,
    session_names,
)

# A worker that follows the files has so long at most to catch up with what was seen, in such steps.
_PATIENCE_SECONDS = 10.0
_STEP_SECONDS = 0.5
_POLL_SECONDS = 0.1


class Verification:
    """Compares a database with the files of its home; changes neither."""

    def __init__(
        self,
        database: StateDatabase,
        codex_home: Path,
        default_provider: str,
        pool: ReaderPool,
        observer: Observer,
        *,
        terms: Terms,
        stopping: Callable[[], bool],
        deep: bool,
    ) -> None:
        self._database = database
        self._home = codex_home
        self._provider = default_provider
        self._observer = observer
        self._terms = terms
        self._stopping = stopping
        self._deep = deep
        self._batches = Batches(pool, observer, terms.batch_size, stopping)
        self._files = Files(database, codex_home, self._batches, observer, stopping, deep=deep)

    def run(self) -> Verdict:
        """Compare.

        Raises:
            WorkHeld: another worker's backfill is not complete, after all our waiting.
            HomeUnavailable: there is nothing to compare with.
            ConfigurationError: the database is another home's.
            DatabaseUnavailable: it cannot be read, or was taken away meanwhile.
            Stopped: on request.
        """
        began = time.monotonic()
        discovery = self._discover()
        self._wait_for_the_backfill()
        self._database.refuse_unsound()
        first = list(self._look(discovery))
        found = list(self._settled(first))
        closed = [each for each in found if each.kind in NOTES]
        drift = [each for each in found if each.kind not in NOTES]
        with self._database.reading() as connection:
            indexer = self._indexer(connection)
        agreement = Agreement(self._database, indexer, self._refuse_to_go_on)
        for thread_id, paths, where in agreement.disagreements():
            kind = Kind.MISMATCHED if paths else Kind.STRAY
            drift.append(Finding(kind, thread_id=thread_id, paths=paths, detail=where))
        with self._database.reading() as connection:
            drift += compare_home(connection, str(self._home), self._provider)
            drift += compare_state(connection)
            noted = (*closed, *notes(connection, discovery))
        self._database.refuse_other_file()
        return Verdict(
            deep=self._deep,
            files=len(discovery.candidates),
            threads=agreement.threads,
            bytes=self._batches.taken,
            seconds=time.monotonic() - began,
            drift=tuple(sorted(drift, key=_order)),
            notes=noted,
        )

    def _wait_for_the_backfill(self) -> None:
        """Wait while somebody makes the database what it is to be."""
        deadline = time.monotonic() + self._terms.wait_seconds
        while True:
            with self._database.reading() as connection:
                refuse_other_home(connection, str(self._home))
                state = read_state(connection)
            if state.status == "complete" or not is_at_work(state):
                return
            if time.monotonic() >= deadline:
                raise WorkHeld(describe_holder(state))
            self._observer.wait(state)
            self._pause(_POLL_SECONDS)

    def _look(
        self, discovery: Discovery, before: Mapping[str, Finding] | None = None
    ) -> Iterator[Finding]:
        """Compare files, rows and names: all, or those in question `before`."""
        if before is None:
            yield from self._compare(discovery, discovery.candidates, {})
            return
        again = tuple(each for each in discovery.candidates if each.path in before)
        for finding in self._compare(discovery, again, before):
            if subject(finding) in before:
                yield finding

    def _compare(
        self,
        discovery: Discovery,
        candidates: tuple[Candidate, ...],
        before: Mapping[str, Finding],
    ) -> Iterator[Finding]:
        self._observer.expect(len(candidates), sum(each.size for each in candidates))
        yield from self._files.compare(candidates, before)
        names = session_names(self._home)
        present = {each.path for each in discovery.candidates}
        sight = Sight(self._home)
        with self._database.reading() as connection:
            for path, row in rollouts.seen(connection):
                if path not in present and sight.is_gone(
                    path, row.device, discovery=discovery, there=present
                ):
                    yield Finding(Kind.GONE, path)
            yield from compare_names(connection, names)

    def _settled(self, first: list[Finding]) -> Iterator[Finding]:
        """What is still there when it is looked at again, and again while a worker may mend it."""
        deadline = time.monotonic() + min(_PATIENCE_SECONDS, self._terms.wait_seconds)
        seen = {subject(each): each for each in first}
        before, pause = first, 0.0
        while before:
            self._pause(pause)
            asked = {subject(each): seen[subject(each)] for each in before}
            found = list(self._look(self._discover(), asked))
            if time.monotonic() >= deadline or not self._may_be_mended():
                yield from found
                return
            # The rest has been found twice, in files that did not change.
            yield from (each for each in found if each.kind not in MENDABLE)
            before, pause = [each for each in found if each.kind in MENDABLE], _STEP_SECONDS

    def _discover(self) -> Discovery:
        return discover_all(self._home, self._observer.looking, self._database)

    def _may_be_mended(self) -> bool:
        with self._database.reading() as connection:
            return is_at_work(read_state(connection))

    def _indexer(self, connection: Connection) -> Indexer:
        """One that merges on the terms on which the rows were written."""
        home, provider = binding_of(connection) or (str(self._home), self._provider)
        return Indexer(home, provider)

    def _pause(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            self._refuse_to_go_on()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _POLL_SECONDS))

    def _refuse_to_go_on(self) -> None:
        if self._stopping():
            raise Stopped


def _order(finding: Finding) -> tuple[int, str, str]:
    return list(Kind).index(finding.kind), finding.path or "", finding.thread_id or ""
