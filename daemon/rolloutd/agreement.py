"""Threads and the summaries of their files: whether each is what the merge makes of them.

Each portion of them is one consistent look at the database, in which a thread and its files were
written together: what differs there is drift, whoever works meanwhile.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rolloutd.indexer import Indexer
from rolloutd.records import ThreadRecord
from rolloutd.state.connections import Connection
from rolloutd.state.database import StateDatabase
from rolloutd.state.lease import Lease
from rolloutd.state.rollouts import distrust
from rolloutd.state.stored import StoredThread, Values, stored_threads, thread_ids_after
from rolloutd.state.threads import edge_row, thread_row, tool_rows
from rolloutd.wording import counted

_log = logging.getLogger(__name__)

_IDS_AT_ONCE = 200
# Threads whose files are read again for a doubt.
_FEW = 50


class Disagreement(NamedTuple):
    """A thread that says other than its files, in these columns or tables.

    Or one of no file, in these tables.
    """

    thread_id: str
    paths: tuple[str, ...]
    where: str


class Agreement:
    """Compares every thread; `threads` says how many there were.

    `between` is called before each portion of them, and may raise.
    """

    def __init__(
        self, database: StateDatabase, indexer: Indexer, between: Callable[[], None]
    ) -> None:
        self.threads = 0
        self._database = database
        self._indexer = indexer
        self._between = between

    def disagreements(self) -> Iterator[Disagreement]:
        """What differs, in the order of the ids."""
        after = None
        while True:
            self._between()
            with self._database.reading() as connection:
                ids = thread_ids_after(connection, after, _IDS_AT_ONCE)
                found = list(self._compare(connection, ids))
            yield from found
            if len(ids) < _IDS_AT_ONCE:
                return
            after = ids[-1]

    def restore(self, lease: Lease) -> bool:
        """Merge again what differs; whether there was anything.

        Which of the two somebody has changed cannot be told: of a few threads the files' rows are
        marked as not to be built upon, too. (To read all files again, because a program gives
        every thread a title of its own, would cost more than it is worth.)

        Raises:
            LeaseLost: see `Lease.transaction`.
        """
        self._indexer.forget()
        wrong = list(self.disagreements())
        for start in range(0, len(wrong), _IDS_AT_ONCE):
            portion = wrong[start : start + _IDS_AT_ONCE]
            with lease.transaction() as connection:
                self._indexer.merge_threads(connection, [each.thread_id for each in portion])
                if len(wrong) <= _FEW:
                    distrust(connection, [path for each in portion for path in each.paths])
        if wrong:
            _log.warning("somebody else has changed %s: put right", counted(len(wrong), "thread"))
        return bool(wrong)

    def _compare(self, connection: Connection, ids: Sequence[str]) -> Iterator[Disagreement]:
        stored = stored_threads(connection, ids)
        records, gone = self._indexer.merged(connection, ids)
        merged = {record.id: record for record in records}
        for thread_id in ids:
            thread = stored[thread_id]
            self.threads += bool(thread.paths)
            if thread_id in gone:
                yield Disagreement(thread_id, (), ", ".join(_tables(thread)))
            elif thread_id in merged:
                wrong = ", ".join(_differences(merged[thread_id], thread))
                if wrong:
                    yield Disagreement(thread_id, tuple(thread.paths), wrong)


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
