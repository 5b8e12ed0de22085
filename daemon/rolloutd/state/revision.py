"""Which revision a database is of, and what that means to a program of this one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rolloutd.errors import DatabaseRefused, DatabaseUnavailable
from rolloutd.state.faults import CorruptDatabase, DatabaseAbsent

# The newest revision in migrations/versions; a test holds the two together.
HEAD = "0003"

# How many columns `threads` has by then; the same test counts them.
THREAD_COLUMNS = 35

# "roll", in the header of the file (PRAGMA application_id).
APPLICATION_ID = 0x726F6C6C


def recorded_revision(scalar: Callable[[str], Any], path: Path) -> str | None:
    """The revision of the database at `path`; None if there is nothing in it yet.

    `scalar` asks it for one value.

    Raises:
        DatabaseRefused: it is another program's.
        CorruptDatabase: it is ours, and does not say.
    """
    mark = scalar("PRAGMA application_id")
    if mark == APPLICATION_ID:
        revision = scalar("SELECT version_num FROM alembic_version")
        if not isinstance(revision, str):
            raise CorruptDatabase(path, "does not say of which revision it is")
        return revision
    if mark or scalar("SELECT 1 FROM sqlite_master LIMIT 1") is not None:
        raise DatabaseRefused(path, "another program's database; rolloutd leaves it alone")
    return None


def refuse_other_revision(revision: str | None, path: Path) -> None:
    """See that a reader, which never migrates, knows what it will find.

    Raises:
        DatabaseAbsent: there is nothing in it yet.
        DatabaseUnavailable: it is older or, as `DatabaseRefused`, newer than this program.
    """
    if revision is None:
        raise DatabaseAbsent(path, "there is nothing in it yet; `rolloutd backfill` fills it")
    if revision > HEAD:
        raise newer(revision, path)
    if revision < HEAD:
        raise DatabaseUnavailable(
            path,
            f"of an older revision ({revision}, this rolloutd reads {HEAD}); "
            "`rolloutd backfill`, or `rolloutd run`, brings it up to date",
        )


def newer(revision: str, path: Path) -> DatabaseRefused:
    """What is said of a database that a later version has written."""
    return DatabaseRefused(
        path,
        f"written by a newer rolloutd (revision {revision}, this one knows {HEAD}); "
        "upgrade rolloutd, or set another database",
    )
