"""Search the files for threads, by what is recorded in them."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from rolloutd.errors import HomeUnavailable
from rolloutd.records import PARSER_VERSION
from rolloutd.rollout.discovery import discover
from rolloutd.rollout.identity import Unidentified, recorded_thread
from rolloutd.rollout.names import identity_from_name
from rolloutd.state.lookups import Told, told_of_files
from rolloutd.state.reader import StateReader


def search(
    home: Path, reader: StateReader | None, matches: Callable[[str], bool]
) -> dict[str, list[str]]:
    """Watermarks, in their order, of the files of each thread whose id matches.

    The head of a file is read, unless its row is of the file as it is now and tells another
    thread, as does its name.

    Raises:
        HomeUnavailable: there are no files.
        DatabaseUnavailable: see `StateReader`.
    """
    try:
        discovery = discover(home)
    except OSError as error:
        raise HomeUnavailable(f"{home}: {error.strerror}") from error
    if not discovery.roots:
        raise HomeUnavailable(f"{home}: neither sessions/ nor archived_sessions/ is there")
    told = {} if reader is None else dict(told_of_files(reader, PARSER_VERSION))
    found = defaultdict(list)
    for candidate in discovery.candidates:
        path, row = candidate.path, told.get(candidate.path)
        is_as_told = row is not None and candidate.stamp == row.stamp
        if candidate.problem is not None or (is_as_told and not _may_be(path, row, matches)):
            continue
        try:
            thread_id = recorded_thread(f"{home}/{path}")
        except (FileNotFoundError, Unidentified):
            continue
        if matches(thread_id):
            found[thread_id].append(path)
    return found


def _may_be(path: str, row: Told | None, matches: Callable[[str], bool]) -> bool:
    named = identity_from_name(path)
    told = None if row is None else row.thread_id
    return (told is not None and matches(told)) or (named is not None and matches(named[0]))
