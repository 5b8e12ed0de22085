"""A backfill's first moments: its readers are at work while the rest of it is imported.

What they need takes half of the time to import. So they are copies of this process from when
it had that much. And where all is to be read, they begin before anything else is looked at: if
there are no options but flags, there is nothing to understand.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rolloutd.errors import ConfigurationError

if TYPE_CHECKING:
    from rolloutd.quick_settings import QuickSettings
    from rolloutd.rollout.pool import ReaderPool

_REBUILD, _JSON = "--rebuild", "--json"


class Early(NamedTuple):
    """A backfill that is asked for, with readers that may be at work already."""

    settings: "QuickSettings"
    rebuild: bool
    as_json: bool
    pool: "ReaderPool"


def begin_early(arguments: Sequence[str]) -> Early | None:
    """Begin the backfill that these arguments ask for; None if the command line is to tell.

    To be called before this process has another thread, or any file open.
    """
    flags = set(arguments[1:])
    if arguments[:1] != ["backfill"] or not flags <= {_REBUILD, _JSON}:
        return None
    from rolloutd.rollout.processes import fork_readers

    readers = fork_readers()
    settings = _settings()
    if settings is None:
        for reader in readers:
            reader.end()
        return None
    from rolloutd.rollout.pool import ReaderPool, ReadersUnavailable

    pool = ReaderPool(str(settings.codex_home), started=readers)
    try:
        begin(pool, settings.database)
    except ReadersUnavailable:
        return None  # As above.
    return Early(settings, _REBUILD in flags, _JSON in flags, pool)


def _settings() -> "QuickSettings | None":
    from rolloutd.quick_settings import quick_settings

    try:
        return quick_settings({})
    except ConfigurationError:
        return None  # The command will say so.


def begin(pool: "ReaderPool", database: Path) -> None:
    """Have the readers start, and if there is no database yet, read what there is to read."""
    from rolloutd.rollout.discovery import first_found
    from rolloutd.rollout.messages import Job
    from rolloutd.state.file import identity_of

    pool.start()
    if not pool.has_begun and identity_of(database) is None:
        with suppress(OSError):
            pool.begin(Job(each.path, each.size) for each in first_found(Path(pool.home)))
