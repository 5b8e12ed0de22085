"""Threads that were archived, or taken out again, behind the database's back; quick to import."""

import json
import os

from rolloutd.state.reader import StateReader

_ARCHIVE = "archived_sessions/"
# As one text, in half the time of so many rows. ("0" is the character behind the slash.)
_KNOWN = """
    SELECT group_concat(substr(path, 19), '/') FROM rollouts
    WHERE path >= 'archived_sessions/' AND path < 'archived_sessions0'
        AND instr(substr(path, 19), '/') = 0
"""


def perhaps_moved(reader: StateReader, home: str, *, archived: bool) -> list[str]:
    """Ids of threads that may be archived now, or, if not `archived`, active: their rows differ.

    Codex moves files into one folder and out of it. So its names tell, beside those that are
    known: 50,000 of them are compared in a tenth of a second. The files are not looked at.

    Raises:
        DatabaseUnavailable: see `StateReader`.
    """
    try:
        names = os.listdir(f"{home}/{_ARCHIVE}")  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        names = []  # It may have gone with the last that was in it, or be away: the list finds out.
    except OSError:
        return []
    present = {name for name in names if name.startswith("rollout-")}
    known = set((reader.value(_KNOWN) or "").split("/"))
    if archived:
        return _named(present - known)
    gone = known - present - {""}
    return _threads_of(reader, [_ARCHIVE + name for name in gone]) if gone else []


def _named(names: set[str]) -> list[str]:
    if not names:
        return []
    # Not needed for as long as all is in its place.
    from rolloutd.rollout.names import identity_from_name

    identities = map(identity_from_name, names)
    return [identity[0] for identity in identities if identity is not None]


def _threads_of(reader: StateReader, paths: list[str]) -> list[str]:
    rows = reader.rows(
        "SELECT thread_id FROM rollouts WHERE thread_id IS NOT NULL"
        " AND path IN (SELECT value FROM json_each(?))",
        (json.dumps(paths),),
    )
    return [row[0] for row in rows]
