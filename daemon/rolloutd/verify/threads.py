"""Threads and the summaries of their files: whether each is what the merge makes of them.

Each portion of them is one consistent look at the database, in which a thread and its files were
written together: what differs there is drift, whoever works meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from rolloutd.batches import Stopped
from rolloutd.indexer import Indexer
from rolloutd.records import ThreadRecord
from rolloutd.state.database import StateDatabase
from rolloutd.state.stored import StoredThread, Values, stored_threads, thread_ids_after
from rolloutd.state.threads import edge_row, thread_row, tool_rows
from rolloutd.verify.findings import Finding, Kind

_IDS_AT_ONCE = 200


class Threads:
    """Compares every thread; `count` says how many there were."""

    def __init__(
        self, database: StateDatabase, indexer: Indexer, stopping: Callable[[], bool]
    ) -> None:
        self.count = 0
        self._database = database
        self._indexer = indexer
        self._stopping = stopping

    def compare(self) -> Iterator[Finding]:
        """What differs, in the order of the ids.

        Raises:
            Stopped: on request.
        """
        after = None
        while True:
            if self._stopping():
                raise Stopped
            with self._database.reading() as connection:
                ids = thread_ids_after(connection, after, _IDS_AT_ONCE)
                found = list(self._compare(connection, ids))
            yield from found
            if len(ids) < _IDS_AT_ONCE:
                return
            after = ids[-1]

    def _compare(self, connection: Connection, ids: Sequence[str]) -> Iterator[Finding]:
        stored = stored_threads(connection, ids)
        records, gone = self._indexer.merged(connection, ids)
        merged = {record.id: record for record in records}
        for thread_id in ids:
            thread = stored[thread_id]
            self.count += bool(thread.paths)
            if thread_id in gone:
                yield Finding(Kind.STRAY, thread_id=thread_id, detail=", ".join(_tables(thread)))
            elif thread_id in merged:
                wrong = ", ".join(_differences(merged[thread_id], thread))
                if wrong:
                    yield Finding(
                        Kind.MISMATCHED,
                        thread_id=thread_id,
                        paths=tuple(thread.paths),
                        detail=wrong,
                    )


def _tables(thread: StoredThread) -> Iterator[str]:
    """Where there are rows of a thread."""
    if thread.row is not None:
        yield "threads"
    if thread.tools:
        yield "thread_dynamic_tools"
    if thread.edge is not None:
        yield "thread_spawn_edges"


def _differences(record: ThreadRecord, thread: StoredThread) -> Iterator[str]:
    """Which columns, or tables, say other than the record."""
    if thread.row is None:
        yield "no row in threads"
    else:
        yield from _unequal(thread_row(record), thread.row)
    if tool_rows(record) != thread.tools:
        yield "thread_dynamic_tools"
    if edge_row(record) != thread.edge:
        yield "thread_spawn_edges"


def _unequal(made: Mapping[str, Any], row: Values) -> Iterator[str]:
    return (column for column, value in made.items() if row[column] != value)
