"""Without a database: one is made of the files, for one question, and asked as any other.

So whatever is asked, the answer is that of a database that is true, and costs a backfill.
"""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from rolloutd.batches import Batches, Observer, readings_of
from rolloutd.home_discovery import discover_all
from rolloutd.indexer import Indexer
from rolloutd.rollout.discovery import Candidate, look
from rolloutd.rollout.messages import Job
from rolloutd.rollout.session_index import read_session_names
from rolloutd.state.faults import explained
from rolloutd.state.home import bind_home
from rolloutd.state.reader import StateReader
from rolloutd.state.scratch import scratch_database
from rolloutd.wording import counted

_log = logging.getLogger(__name__)


@contextmanager
def read_from_files(
    home: Path,
    default_provider: str,
    batches: Batches,
    observer: Observer,
    paths: Collection[str] | None = None,
) -> Iterator[StateReader]:
    """What the files of a home say, or only those at these watermarks.

    Raises:
        HomeUnavailable: there is nothing to read.
        DatabaseUnavailable: there is no room for what the files say.
        Stopped: on request.
    """
    candidates = (
        discover_all(home, observer.looking).candidates if paths is None else _at(home, paths)
    )
    unlisted = sum(candidate.is_directory for candidate in candidates)
    if unlisted:
        folders = counted(unlisted, "folder")
        _log.warning("%s cannot be listed: what is in there is left out", folders)
    jobs = (Job(each.path, each.size) for each in candidates if each.problem is None)
    unread = sum(candidate.size for candidate in candidates)
    observer.expect(len(candidates), unread)
    indexer = Indexer(str(home), default_provider)
    closed = 0
    with scratch_database(home) as (connection, reader):
        bind_home(connection, str(home), default_provider)
        indexer.store_names(connection, _session_names(home))
        for batch in batches.read(candidates, jobs, unread):
            readings = readings_of(batch)
            with explained(home):
                connection.execute("BEGIN")
                indexer.store(connection, readings)
                connection.execute("COMMIT")
            closed += sum(reading.closed for reading in readings)
        if closed:
            _log.warning("%s cannot be read now, and left out", counted(closed, "file"))
        yield reader


def _at(home: Path, paths: Collection[str]) -> tuple[Candidate, ...]:
    found = (look(home, path) for path in sorted(paths))
    return tuple(candidate for candidate in found if candidate is not None)


def _session_names(home: Path) -> dict[str, str]:
    try:
        return read_session_names(home)
    except OSError as error:
        _log.warning("the session index cannot be read: %s", error.strerror)
        return {}
