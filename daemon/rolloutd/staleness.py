"""Whether a row still says what its file does, and from where on that is to be read."""

from collections.abc import Iterable, Iterator
from itertools import islice

from rolloutd.records import PARSER_VERSION
from rolloutd.rollout.discovery import Candidate
from rolloutd.rollout.messages import Job
from rolloutd.state import rollouts
from rolloutd.state.database import StateDatabase

_PORTION = 256


def jobs_of(database: StateDatabase, candidates: Iterable[Candidate]) -> Iterator[Job]:
    """What is to be read of those that have no problem, each from where reading stopped."""
    readable = (candidate for candidate in candidates if candidate.problem is None)
    while portion := list(islice(readable, _PORTION)):
        with database.reading() as connection:
            old = rollouts.among_rows(connection, [candidate.path for candidate in portion])
        for candidate in portion:
            known = None
            # Most of many files are new: nothing is asked of each of them.
            if candidate.path in old:
                with database.reading() as connection:
                    known = rollouts.known(connection, candidate.path)
            yield Job(candidate.path, candidate.size, known)


def has_changed(candidate: Candidate, row: rollouts.Seen | None) -> bool:
    """Whether a file has to be read again, by what its row says of it."""
    return row is None or row.parser_version != PARSER_VERSION or _differs(candidate, row)


def is_only_outdated(candidate: Candidate, row: rollouts.Seen) -> bool:
    """Whether a file is as it was read, but another version of this program has read it."""
    is_outdated = row.parser_version not in (PARSER_VERSION, rollouts.DISTRUSTED)
    return is_outdated and not _differs(candidate, row)


def _differs(candidate: Candidate, row: rollouts.Seen) -> bool:
    if candidate.problem is not None:
        return row.error != candidate.problem
    return candidate.stamp != row.stamp


def offset_of(candidate: Candidate, row: rollouts.Seen | None) -> int:
    """From where a file is to be read, unless it turns out to be another one."""
    if (
        row is None
        or row.stamp is None
        or candidate.stamp is None
        or row.parser_version != PARSER_VERSION
        or candidate.path.endswith(".zst")
        or candidate.stamp[:2] != row.stamp[:2]
        or candidate.size < row.offset
    ):
        return 0
    return row.offset
