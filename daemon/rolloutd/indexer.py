"""One rollout file to rows: the only place that turns the one into the other."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from sqlalchemy import Connection, select

from rolloutd.records import FileSummary, Reading, ThreadRecord
from rolloutd.rollout.merge import merge
from rolloutd.state.rollouts import delete_rollouts, files_of, threads_of, upsert_rollouts
from rolloutd.state.schema import threads
from rolloutd.state.threads import names_of, replace_names, write_threads

_IDS_AT_ONCE = 200


class Indexer:
    """Writes readings, and the threads that they change, within the caller's transaction.

    Backfill, reconcile, monitor and repair all end here.
    """

    def __init__(self, codex_home: str, default_provider: str) -> None:
        self._home = codex_home
        self._default_provider = default_provider

    def store(
        self, connection: Connection, readings: Sequence[Reading], gone: Collection[str] = ()
    ) -> None:
        """Make the database say what these files say, and nothing of the files that are gone."""
        paths = [reading.path for reading in readings] + list(gone)
        affected = threads_of(connection, paths)
        upsert_rollouts(connection, readings)
        delete_rollouts(connection, gone)
        affected |= {
            reading.summary.thread_id
            for reading in readings
            if reading.error is None and reading.summary.thread_id is not None
        }
        self.merge_threads(connection, affected)

    def store_names(self, connection: Connection, names: dict[str, str]) -> None:
        """Take over the names of the session index."""
        self.merge_threads(connection, replace_names(connection, names))

    def merge_all(self, connection: Connection) -> None:
        """Merge every thread again, from the summaries that are stored."""
        self.merge_threads(connection, set(connection.execute(select(threads.c.id)).scalars()))

    def merge_threads(self, connection: Connection, thread_ids: Iterable[str]) -> None:
        """Merge these threads again; those that have no file any more are dropped."""
        for ids in _portions(sorted(thread_ids)):
            names = names_of(connection, ids)
            gone = set(ids)
            records = []
            for thread_id, files in files_of(connection, ids):
                gone.remove(thread_id)
                if files:
                    records.append(self._merged(files, names.get(thread_id)))
            write_threads(connection, records, gone)

    def _merged(self, files: Sequence[FileSummary], name: str | None) -> ThreadRecord:
        return merge(
            files, home=self._home, default_provider=self._default_provider, session_name=name
        )


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]
