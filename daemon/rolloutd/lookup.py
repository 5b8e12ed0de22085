"""Find one thread: the database first, the files second, and what was wrong is to be mended.

A row is believed when its file is there and says that it is that thread's. A row that points at
another thread's file, or at nothing, is told of; then the files are searched, by their records
and not by their names, and the row is mended by whoever may write. What cannot be read now is
given back as it is, unverified.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rolloutd.errors import BadUsage, HomeUnavailable, RolloutdError
from rolloutd.rollout.identity import Unidentified, Unreadable, recorded_thread
from rolloutd.rollout.names import is_archived, parse_thread_id
from rolloutd.search import search
from rolloutd.sight import Sight
from rolloutd.state.lookups import Place, device_of, place_of, places_beginning, places_named
from rolloutd.state.reader import StateReader

# Fewer digits are more likely a word than the beginning of an id.
_LEAST_DIGITS = 4
_MOST_CANDIDATES = 10
_DIGITS = re.compile(r"[0-9a-f]+", re.ASCII)


class NoSuchThread(RolloutdError):
    """Nothing has that id or name."""


class AmbiguousThread(RolloutdError):
    """Several threads could be meant.

    `places` are the first of them, or `ids` where there are no rows; `more` says that there are
    others.
    """

    def __init__(self, text: str, places: Sequence[Place], ids: Sequence[str] = ()) -> None:
        super().__init__(f"{text!r} may be any of several threads")
        self.places = places[:_MOST_CANDIDATES]
        self.ids = ids[:_MOST_CANDIDATES]
        self.more = len(places) > _MOST_CANDIDATES or len(ids) > _MOST_CANDIDATES


@dataclass(frozen=True, slots=True)
class Found:
    """Where a thread is.

    Attributes:
        path: of its last file, absolute.
        problem: why that could not be verified; None if the file says that it is this thread's.
        paths: watermarks of all its files, if they had to be searched for.
    """

    id: str
    path: str
    archived: bool
    problem: str | None = None
    paths: tuple[str, ...] = ()


class _WrongRow(Exception):
    """It points at another thread's file, or at nothing."""


class Lookup:
    """Finds threads in one home; `reader` is None where there is no database.

    `warn` is told what was found to be wrong, and `stale` holds it: threads whose rows are to be
    mended, each with the watermarks of the files that are known of.
    """

    def __init__(
        self,
        home: Path,
        reader: StateReader | None,
        warn: Callable[[str], None],
    ) -> None:
        self.stale: dict[str, list[str]] = {}
        self._home = home
        self._reader = reader
        self._warn = warn

    def find(self, text: str, *, archived: bool | None = None) -> Found:
        """The thread that a person means: by its id, the beginning of that, or its name.

        `archived` asks for archived threads only, or for active ones only. Of several threads of
        one name, or else of one title, it is the newest. Names are known to a database only.

        Raises:
            BadUsage: nothing is asked for.
            NoSuchThread, AmbiguousThread: see there.
            HomeUnavailable: the files had to be searched, and there are none.
            DatabaseUnavailable: see `StateReader`.
        """
        if not text.strip():
            raise BadUsage(f"THREAD {text!r}: allowed is an id, its beginning, a name, or a title")
        thread_id = parse_thread_id(text)
        if thread_id is not None:
            return self.by_id(thread_id, archived=archived)
        beginning = beginning_of_id(text)
        meant = self._named(text, archived=archived)
        if beginning is not None:
            meant |= self._begun(text, beginning, archived=archived)
        if len(meant) > 1:
            raise AmbiguousThread(text, [place for place, _ in meant.values()])
        for _, found in meant.values():
            return found
        if beginning is not None:
            return self._search_beginning(text, beginning, archived=archived)
        raise NoSuchThread(f"no thread has the id, or is named, {text!r}")

    def by_id(self, thread_id: str, *, archived: bool | None = None) -> Found:
        """The thread of that id; see `find`."""
        place = None if self._reader is None else place_of(self._reader, thread_id)
        if place is None:
            found = self._searched(lambda each: each == thread_id).get(thread_id)
        else:
            found = self._verified([place]).get(thread_id)
        if found is None:
            raise NoSuchThread(f"no thread has the id {thread_id}")
        if archived not in (None, found.archived):
            state = "archived" if found.archived else "active"
            raise NoSuchThread(f"{thread_id} is {state}: {found.path}")
        return found

    def _named(self, text: str, *, archived: bool | None) -> dict[str, tuple[Place, Found]]:
        """The newest thread of that name, or else title, that is there, and so."""
        places = [] if self._reader is None else places_named(self._reader, text)
        if archived is not None:
            # A row may be wrong about where its file is, but only if it is not there.
            places.sort(key=lambda place: place.archived != archived)
            places = [
                place
                for place in places
                if place.archived == archived or not os.path.lexists(place.path)
            ]
        for start in range(0, len(places), _MOST_CANDIDATES):
            some = places[start : start + _MOST_CANDIDATES]
            for thread_id, meant in self._meant(some, archived=archived).items():
                return {thread_id: meant}
        return {}

    def _begun(
        self, text: str, beginning: str, *, archived: bool | None
    ) -> dict[str, tuple[Place, Found]]:
        """The threads whose ids begin so, that are there, and so."""
        if self._reader is None:
            return {}
        places = places_beginning(self._reader, beginning, most=_MOST_CANDIDATES + 1)
        if len(places) > _MOST_CANDIDATES:
            raise AmbiguousThread(text, places)
        return self._meant(places, archived=archived)

    def _meant(
        self, places: Sequence[Place], *, archived: bool | None
    ) -> dict[str, tuple[Place, Found]]:
        """Those of these threads, in their order, that are there, and so."""
        found = self._verified(places)
        return {
            place.id: (place, found[place.id])
            for place in places
            if place.id in found and archived in (None, found[place.id].archived)
        }

    def _verified(self, places: Sequence[Place]) -> dict[str, Found]:
        """Where these threads are, once their files have said so, or the search has."""
        found, lost = {}, set()
        for place in places:
            try:
                found[place.id], is_certain = self._looked_at(place)
            except _WrongRow as wrong:
                self._warn(f"the row of {place.id} points at {wrong}")
                self.stale[place.id] = [place.path.removeprefix(f"{self._home}/")]
                is_certain = False
            if not is_certain:
                lost.add(place.id)
        if not lost:
            return found
        try:
            return found | self._searched(lost.__contains__)
        except HomeUnavailable:
            if lost <= found.keys():
                return found  # Away with all the rest.
            raise

    def _looked_at(self, place: Place) -> tuple[Found, bool]:
        """What a row says, and whether there is no use in searching for anything else."""
        found = Found(place.id, place.path, place.archived)
        try:
            recorded = recorded_thread(place.path)
        except FileNotFoundError:
            why = self._why_unseen(place.path)
            if why is None:
                raise _WrongRow(f"nothing: {place.path}") from None
            return replace(found, problem=why), False
        except Unreadable as error:
            return replace(found, problem=str(error)), True
        except Unidentified as error:
            return replace(found, problem=str(error)), False
        if recorded != place.id:
            raise _WrongRow(f"the file of {recorded}: {place.path}")
        return found, True

    def _why_unseen(self, path: str) -> str | None:
        if not path.startswith(f"{self._home}/"):
            return None
        watermark = path.removeprefix(f"{self._home}/")
        device = None if self._reader is None else device_of(self._reader, watermark)
        return Sight(self._home).why_unseen(watermark, device)

    def _searched(self, matches: Callable[[str], bool]) -> dict[str, Found]:
        """Threads by their files; their rows, if they have any, are wrong or of no use."""
        files = search(self._home, self._reader, matches)
        found = {
            thread_id: replace(self._found(thread_id, path), problem=problem)
            for thread_id, (path, problem) in files.unread.items()
        }
        for thread_id, paths in files.found.items():
            self.stale.setdefault(thread_id, []).extend(paths)
            found[thread_id] = replace(self._found(thread_id, paths[-1]), paths=tuple(paths))
        return found

    def _found(self, thread_id: str, path: str) -> Found:
        return Found(thread_id, f"{self._home}/{path}", is_archived(path))

    def _search_beginning(self, text: str, beginning: str, *, archived: bool | None) -> Found:
        found = self._searched(lambda each: each.startswith(beginning))
        if len(found) > 1:
            raise AmbiguousThread(text, (), sorted(found))
        for thread_id in found:
            return self.by_id(thread_id, archived=archived)
        raise NoSuchThread(f"no thread has the id, or is named, {text!r}")


def beginning_of_id(text: str) -> str | None:
    """The canonical beginning of an id that `text` may be; None if it is too short, or none."""
    digits = text.replace("-", "").lower()
    if not _LEAST_DIGITS <= len(digits) <= 32 or not _DIGITS.fullmatch(digits):
        return None
    groups = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    canonical = "-".join(group for group in groups if group)
    # Hyphens stand where they do in an id, or nowhere; there may be one at the end.
    written = text.lower()
    return canonical if written in (digits, canonical, f"{canonical}-") else None
