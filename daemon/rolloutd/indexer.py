"""One rollout file to rows: the only place that turns the one into the other."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from types import MappingProxyType
from typing import TypeAlias

from rolloutd.records import FileSummary, Reading, ThreadRecord
from rolloutd.rollout.merge import merge
from rolloutd.rollout.portions import Portions
from rolloutd.state.connections import Connection
from rolloutd.state.home import bind_home
from rolloutd.state.rollouts import (
    delete_rollouts,
    file_counts,
    files_at,
    files_of,
    keep_closed,
    move_closed,
    paths_of,
    threads_of,
    upsert_rollouts,
)
from rolloutd.state.threads import names_of, replace_names, write_threads

_IDS_AT_ONCE = 200
# Threads of so many files are merged in portions; those of the last few of them are kept.
LONG_FILES = 256
_LONG_KEPT = 16

_Files: TypeAlias = Mapping[str, list[FileSummary]]
_NOTHING: _Files = MappingProxyType({})


class Indexer:
    """Writes readings, and the threads that they change, within the caller's transaction.

    Backfill, reconcile, monitor and repair all end here. What it remembers of long threads holds
    for as long as nobody else writes, and nothing is undone: for one lease.
    """

    def __init__(self, codex_home: str, default_provider: str) -> None:
        self._home = codex_home
        self._default_provider = default_provider
        self._long: OrderedDict[str, Portions] = OrderedDict()

    def forget(self) -> None:
        """Take nothing for granted of what was in the database before."""
        self._long.clear()

    def store(
        self, connection: Connection, readings: Sequence[Reading], gone: Collection[str] = ()
    ) -> None:
        """Make the database say what these files say, and nothing of the files that are gone.

        What it says of a file that cannot be read now, it goes on saying.
        """
        closed = {each.path: str(each.error) for each in readings if each.closed}
        if closed:
            kept = keep_closed(connection, closed)
            readings = [each for each in readings if each.path not in kept]
        whose: dict[str, str | None] = dict.fromkeys(gone)
        whose |= {
            reading.path: reading.summary.thread_id if reading.error is None else None
            for reading in readings
        }
        affected = threads_of(connection, whose)
        upsert_rollouts(connection, readings)
        delete_rollouts(connection, gone)
        affected |= {thread_id for thread_id in whose.values() if thread_id is not None}
        for long_id, portions in self._long.items():
            for path, thread_id in whose.items():
                (portions.put if thread_id == long_id else portions.remove)(path)
        self._merge_threads(connection, affected, _by_thread(readings))

    def move(self, connection: Connection, moved: Mapping[str, Reading]) -> None:
        """Say of these files, which cannot be read now, what was known of them where they were."""
        affected = move_closed(connection, moved)
        for thread_id in affected:
            self._long.pop(thread_id, None)
        self.merge_threads(connection, affected)

    def bind(self, connection: Connection) -> None:
        """Say whose index this is; what rests on another home or provider is merged again."""
        if bind_home(connection, self._home, self._default_provider):
            self.merge_all(connection)

    def store_names(self, connection: Connection, names: dict[str, str]) -> None:
        """Take over the names of the session index."""
        self.merge_threads(connection, replace_names(connection, names))

    def merge_all(self, connection: Connection) -> None:
        """Merge every thread again, from the summaries that are stored."""
        self.merge_threads(connection, connection.column("SELECT id FROM threads"))

    def merge_threads(self, connection: Connection, thread_ids: Iterable[str]) -> None:
        """Merge these threads again; those that have no file any more are dropped."""
        self._merge_threads(connection, thread_ids, {})

    def _merge_threads(
        self, connection: Connection, thread_ids: Iterable[str], read: _Files
    ) -> None:
        for ids in _portions(sorted(thread_ids)):
            write_threads(connection, *self.merged(connection, ids, read))

    def merged(
        self, connection: Connection, thread_ids: Collection[str], read: _Files = _NOTHING
    ) -> tuple[list[ThreadRecord], set[str]]:
        """The records that stored summaries make of these threads, and the ids without a file.

        `read` are files, stored already, of which the database need not be asked again.
        A thread of whose files no summary can be read is in neither.
        """
        names = names_of(connection, thread_ids)
        gone = set(thread_ids)
        records = []
        for thread_id, files in self._files_of(connection, thread_ids, read):
            gone.remove(thread_id)
            if files:
                records.append(self._merged(files, names.get(thread_id)))
        return records, gone

    def _files_of(
        self, connection: Connection, ids: Collection[str], read: _Files
    ) -> Iterator[tuple[str, list[FileSummary]]]:
        """The files of each thread that has any, those of long ones summed up in portions."""
        counts = file_counts(connection, ids, LONG_FILES)
        short = [thread_id for thread_id in ids if thread_id not in counts]
        return chain(
            _together({each: read[each] for each in short if each in read}, connection, short),
            ((each, self._totals(connection, each, count)) for each, count in counts.items()),
        )

    def _totals(self, connection: Connection, thread_id: str, count: int) -> list[FileSummary]:
        portions = self._long.pop(thread_id, None)
        if portions is None or len(portions) != count:
            portions = Portions(paths_of(connection, thread_id))
        self._long[thread_id] = portions
        if len(self._long) > _LONG_KEPT:
            self._long.popitem(last=False)
        return list(portions.totals(lambda paths: files_at(connection, paths)))

    def _merged(self, files: Sequence[FileSummary], name: str | None) -> ThreadRecord:
        return merge(
            files, home=self._home, default_provider=self._default_provider, session_name=name
        )


def _by_thread(readings: Iterable[Reading]) -> _Files:
    """The files that were read, by their thread."""
    files: dict[str, list[FileSummary]] = {}
    for reading in readings:
        thread_id, cursor = reading.summary.thread_id, reading.cursor
        if reading.error is None and thread_id is not None and cursor is not None:
            file = FileSummary(
                reading.path, reading.archived, cursor.stamp.mtime_ns, reading.summary
            )
            files.setdefault(thread_id, []).append(file)
    return files


def _together(
    read: _Files, connection: Connection, ids: Collection[str]
) -> Iterator[tuple[str, list[FileSummary]]]:
    """The files of each thread that has any, in the order of their watermarks."""
    known = [file.path for files in read.values() for file in files]
    stored = dict(files_of(connection, ids, known))
    # In their order: of each index the same pages are written to, one after the other.
    for thread_id in sorted(read.keys() | stored.keys()):
        files = [*read.get(thread_id, ()), *stored.get(thread_id, ())]
        yield thread_id, sorted(files, key=attrgetter("path"))


def _portions(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]
