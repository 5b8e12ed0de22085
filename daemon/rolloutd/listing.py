"""Lists of threads, a page at a time, off one index; quick to import.

A row whose file is not where it was is told apart: it is left out, unless the file is found where
Codex would have moved it, and somebody who may write is to mend it.
"""

import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rolloutd.errors import BadUsage
from rolloutd.moved import perhaps_moved
from rolloutd.state.lookups import device_of
from rolloutd.state.reader import StateReader
from rolloutd.state.selection import Key, Order, Selection, Sort, page_query

_CURSOR = re.compile(r"1 (created|updated|recency) (asc|desc) (-?\d{1,19}) (.*)", re.DOTALL)


@dataclass(slots=True)
class Page:
    """Some threads of a list.

    Attributes:
        threads: rows, by their columns' names.
        next_cursor: where the list goes on; None at its end.
        stale: of the rows that were wrong about their file, ids and watermarks.
    """

    threads: list[dict[str, Any]] = field(default_factory=list)
    next_cursor: str | None = None
    stale: dict[str, list[str]] = field(default_factory=dict)


class Listing:
    """One list, of one selection in one order."""

    def __init__(
        self,
        selection: Selection,
        sort: Sort = Sort.RECENCY,
        order: Order = Order.DESCENDING,
        columns: Sequence[str] = ("*",),
    ) -> None:
        self._selection = selection
        self._sort = sort
        self._order = order
        self._columns = columns

    def page(self, reader: StateReader, limit: int, cursor: str | None = None) -> Page:
        """The first `limit` threads behind the cursor.

        A cursor names the last thread that was seen, so what comes in or goes meanwhile moves
        nothing.

        Raises:
            BadUsage: the cursor is none, or one of another sort.
            DatabaseUnavailable: see `StateReader`.
        """
        after = None if cursor is None else self._decoded(cursor)
        home = reader.value("SELECT codex_home FROM home")
        asked = (self._selection, self._sort, self._order)
        page = Page()
        with reader.at_one_moment():
            moved = self._perhaps_moved(reader, home)
            while len(page.threads) <= limit:
                wanted = limit + 1 - len(page.threads)
                query = page_query(*asked, after, wanted, self._columns, moved=moved)
                rows = [dict(row) for row in reader.rows(*query)]
                page.threads += [row for row in rows if self._stands(reader, row, home, page)]
                if len(rows) < wanted:
                    break
                after = self._key(rows[-1])
        if len(page.threads) > limit:
            del page.threads[limit:]
            page.next_cursor = self._encoded(self._key(page.threads[-1]))
        return page

    def _perhaps_moved(self, reader: StateReader, home: str | None) -> list[str]:
        archived = self._selection.archived
        if home is None or archived is None:
            return []
        return perhaps_moved(reader, home, archived=archived)

    def _stands(
        self, reader: StateReader, row: dict[str, Any], home: str | None, page: Page
    ) -> bool:
        """Whether the thread of a row is to be listed, with its file's path put right."""
        path = row["rollout_path"]
        if home is None or not is_missing(path):
            return self._selection.archived in (None, bool(row["archived"]))
        if not path.startswith(home + "/"):
            page.stale[row["id"]] = [path]
            return False
        watermark = path.removeprefix(home + "/")
        moved = _moved(home, watermark, row["id"])
        if moved is None and _is_away(reader, home, watermark):
            return self._selection.archived in (None, bool(row["archived"]))
        page.stale[row["id"]] = [watermark]
        if moved is None:
            return False
        path, archived = moved
        row |= {"rollout_path": f"{home}/{path}", "archived": int(archived)}
        return self._selection.archived in (None, archived)

    def _key(self, row: dict[str, Any]) -> Key:
        at_ms = row[self._sort.column]
        # Where no time is said, which none of ours leaves out, SQLite takes it for the earliest.
        return Key(-(2**63) if at_ms is None else at_ms, row["id"])

    def _encoded(self, key: Key) -> str:
        return _opaque(f"1 {self._sort.value} {self._order.value} {key.at_ms} {key.id}")

    def _decoded(self, cursor: str) -> Key:
        try:
            text = urlsafe_b64decode(cursor.encode("ascii") + b"==").decode()
        except ValueError:
            text = ""
        match = _CURSOR.fullmatch(text)
        if match is None or not -(2**63) <= int(match[3]) < 2**63 or _opaque(text) != cursor:
            raise BadUsage(
                f"--cursor {cursor!r}: allowed is the next_cursor of a list that went before"
            )
        if (match[1], match[2]) != (self._sort.value, self._order.value):
            raise BadUsage(
                f"--cursor {cursor!r}: is of a list with --sort {match[1]} --order {match[2]}, "
                f"this one has --sort {self._sort.value} --order {self._order.value}; "
                "allowed is a cursor of the same"
            )
        return Key(int(match[3]), match[4])


def _opaque(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def is_missing(path: str) -> bool:
    """Whether there is certainly nothing at this path."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: no path at all
        return True
    except OSError:
        return False  # It cannot be told.
    return False


def _is_away(reader: StateReader, home: str, watermark: str) -> bool:
    # Not needed for as long as all is in its place; and slow to import.
    from rolloutd.sight import Sight

    return Sight(Path(home)).why_unseen(watermark, device_of(reader, watermark)) is not None


def _moved(home: str, watermark: str, thread_id: str) -> tuple[str, bool] | None:
    """Where Codex has moved a thread's file to, and whether that is the archive."""
    # Not needed for as long as all is in its place; and slow to import.
    from rolloutd.rollout.names import is_archived
    from rolloutd.rollout.whereabouts import look_around, plain_of

    try:
        found = [
            each.path for each in look_around(Path(home), plain_of(watermark)) if not each.problem
        ]
    except OSError:
        return None
    if not found or not _may_hold(f"{home}/{found[0]}", thread_id):
        return None
    return found[0], is_archived(found[0])


def _may_hold(path: str, thread_id: str) -> bool:
    """Whether a file's record does not say that it is another thread's."""
    from rolloutd.rollout.identity import Unidentified, recorded_thread

    try:
        return recorded_thread(path) == thread_id
    except FileNotFoundError:
        return False
    except Unidentified:
        return True
