"""Search the files for threads, by what is recorded in them."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rolloutd.errors import HomeUnavailable
from rolloutd.records import PARSER_VERSION
from rolloutd.rollout.discovery import Discovery, discover
from rolloutd.rollout.identity import Unidentified, Unreadable, recorded_thread
from rolloutd.rollout.names import identity_from_name
from rolloutd.state.lookups import Told, told_of_files
from rolloutd.state.reader import StateReader


class Files(NamedTuple):
    """What a search has found.

    Attributes:
        found: watermarks, in their order, of the files of each thread.
        unread: by the thread that its name tells, a file that cannot be read now, and why.
    """

    found: dict[str, list[str]]
    unread: dict[str, tuple[str, str]]


def search(home: Path, reader: StateReader | None, matches: Callable[[str], bool]) -> Files:
    """The files of each thread whose id matches.

    The head of a file is read, unless its row is of the file as it is now and tells another
    thread, as does its name.

    Raises:
        HomeUnavailable: there are no files.
        DatabaseUnavailable: see `StateReader`.
    """
    discovery = _discovered(home)
    told = {} if reader is None else dict(told_of_files(reader, PARSER_VERSION))
    files = Files(defaultdict(list), {})
    for candidate in discovery.candidates:
        path, row = candidate.path, told.get(candidate.path)
        is_as_told = row is not None and candidate.stamp == row.stamp
        if candidate.problem is not None or (is_as_told and not _may_be(path, row, matches)):
            continue
        try:
            thread_id = recorded_thread(f"{home}/{path}")
        except Unreadable as error:
            named = identity_from_name(path)
            if named is not None and matches(named[0]):
                files.unread[named[0]] = path, str(error)
            continue
        except (FileNotFoundError, Unidentified):
            continue
        if matches(thread_id):
            files.found[thread_id].append(path)
    return files


def unseen(home: Path, reader: StateReader) -> list[str]:
    """Watermarks of the files that the database does not know, or not as they are now.

    Raises:
        HomeUnavailable, DatabaseUnavailable: as `search`.
    """
    told = dict(told_of_files(reader, PARSER_VERSION))
    return [
        candidate.path
        for candidate in _discovered(home).candidates
        if candidate.problem is None
        and (candidate.path not in told or told[candidate.path].stamp != candidate.stamp)
    ]


def _discovered(home: Path) -> Discovery:
    try:
        discovery = discover(home)
    except OSError as error:
        raise HomeUnavailable(home, str(error.strerror)) from error
    if not discovery.roots:
        raise HomeUnavailable(home, "neither sessions/ nor archived_sessions/ is there")
    return discovery


def _may_be(path: str, row: Told | None, matches: Callable[[str], bool]) -> bool:
    named = identity_from_name(path)
    told = None if row is None else row.thread_id
    return (told is not None and matches(told)) or (named is not None and matches(named[0]))
