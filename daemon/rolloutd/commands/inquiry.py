"""One thread that somebody asks for: found, described, and mended where its row was wrong."""

import time
from collections.abc import Sequence
from typing import Any, NoReturn

from rolloutd.commands.index import Index
from rolloutd.commands.output import fail, warn
from rolloutd.lookup import AmbiguousThread, Found, Lookup, NoSuchThread
from rolloutd.rollout.names import parse_thread_id
from rolloutd.search import unseen
from rolloutd.sight import Sight
from rolloutd.state.lookups import device_of
from rolloutd.state.reader import StateReader
from rolloutd.table import cut, one_line
from rolloutd.thread_report import thread_document, thread_lines, with_relatives
from rolloutd.wording import elapsed_text

_TITLE_CELLS = 60


class Inquiry:
    """What is asked: `text` as the user wrote it, and whether archived or active ones count."""

    def __init__(self, index: Index, text: str, *, archived: bool | None) -> None:
        self._index = index
        self._home = index.places.codex_home
        self._text = text
        self._archived = archived
        self._stale: dict[str, list[str]] = {}

    def find(self) -> Found:
        """Where the thread is; ends the program if there is none, or more than one."""
        with self._index.database() as reader:
            # An id is in the head of each file; all else has to be read for.
            if reader is not None or parse_thread_id(self._text) is not None:
                return self._look_up(reader)
        with self._index.files() as reader:
            return self._look_up(reader)

    def mend(self) -> None:
        """Have the rows mended that were wrong; once the answer has been given."""
        self._index.mend(self._stale)

    def describe(self) -> dict[str, Any]:
        """Everything about the thread; ends the program likewise."""
        is_mended = False
        try:
            found, document = self._index.ask(self._described)
        finally:
            is_mended = self._index.mend(self._stale)
        if is_mended:
            document = self._index.ask(lambda reader: thread_document(reader, found))
        elif found.paths or document is None:
            document = self._told_by_files(found)
        if document is None:
            fail(f"{found.path}: nothing is known of {found.id} any more")
        return document

    def lines(self, user_folder: str | None) -> list[str]:
        """The same for people."""
        document = self.describe()
        with self._index.said():
            return list(thread_lines(document, user_folder))

    def _told_by_files(self, found: Found) -> dict[str, Any] | None:
        """What the thread's own files tell, and the database of its relatives."""
        paths = found.paths or [found.path.removeprefix(f"{self._home}/")]
        with self._index.files(paths) as reader:
            document = thread_document(reader, found)
        if document is None:
            return None
        return self._index.ask(lambda reader: with_relatives(reader, document))

    def _described(self, reader: StateReader) -> tuple[Found, dict[str, Any] | None]:
        found = self._look_up(reader)
        document = thread_document(reader, found)
        if document is not None:
            missing = [each["path"] for each in document["files"] if each["missing"]]
            self._note_missing(reader, found, missing)
        return found, document

    def _note_missing(self, reader: StateReader, found: Found, paths: Sequence[str]) -> None:
        """Doubt the rows of files that are gone, unless the lookup has doubts of its own."""
        if found.problem is not None or found.id in self._stale:
            return
        sight = Sight(self._home)
        gone = [path for path in paths if not sight.why_unseen(path, device_of(reader, path))]
        if gone:
            warn(f"the row of {found.id} rests on what is not there: {', '.join(gone)}")
            self._stale[found.id] = gone

    def _look_up(self, reader: StateReader | None) -> Found:
        lookup = Lookup(self._home, reader, warn=warn)
        try:
            return lookup.find(self._text, archived=self._archived)
        except AmbiguousThread as error:
            _fail_ambiguous(error)
        except NoSuchThread:
            found = None if reader is None else self._look_up_unseen(reader)
            if found is None:
                raise
            return found
        finally:
            self._stale |= lookup.stale

    def _look_up_unseen(self, reader: StateReader) -> Found | None:
        """Look for a name or title in those files only of which the database does not know yet."""
        if parse_thread_id(self._text) is not None:
            return None  # The heads of all files have been looked at for that.
        paths = unseen(self._home, reader)
        if not paths:
            return None
        with self._index.files(paths) as told:
            try:
                found = Lookup(self._home, told, warn=warn).find(
                    self._text, archived=self._archived
                )
            except NoSuchThread:
                return None
            except AmbiguousThread as error:
                _fail_ambiguous(error)
        self._stale[found.id] = paths
        return found


def _fail_ambiguous(error: AmbiguousThread) -> NoReturn:
    now = time.time()
    lines = [
        "  ".join(
            (
                place.id,
                elapsed_text(now, place.recency_at_ms),
                cut(one_line(place.name or place.title), _TITLE_CELLS),
            )
        )
        for place in error.places
    ]
    more = ["and others"] if error.more else []
    fail("\n  ".join((f"{error}:", *lines, *error.ids, *more)))
