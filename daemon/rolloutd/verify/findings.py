"""What a comparison of files and rows finds."""

from enum import StrEnum

from msgspec import Struct

from rolloutd.records import FileStamp


class Kind(StrEnum):
    """Kinds of findings; the last three are no drift, but worth knowing."""

    MISSING = "missing"  # a file without a row
    STALE = "stale"  # a file that has changed since its row was written
    GONE = "gone"  # a row without a file
    PARSER = "parser"  # a row of another version of the parser, or marked to be read again
    CURSOR = "cursor"  # a row whose cursor does not fit its file
    MISMATCHED = "mismatched"  # a row, or a thread, that says other than what it rests on
    STRAY = "stray"  # rows of a thread that no file holds
    NAMES = "names"  # names that are not those of the session index
    HOME = "home"  # rows that rest on another home, or default provider, than the settings say
    STATE = "state"  # progress that is not that of these rows

    DUPLICATE = "duplicate"  # a thread in several files of which none continues another
    UNINDEXABLE = "unindexable"  # a file that holds no thread
    UNREACHABLE = "unreachable"  # what cannot be seen now; rows of it are kept, not judged


NOTES = frozenset({Kind.DUPLICATE, Kind.UNINDEXABLE, Kind.UNREACHABLE})

# What a worker that follows the files mends by itself, given a moment.
MENDABLE = frozenset({Kind.MISSING, Kind.STALE, Kind.GONE, Kind.PARSER, Kind.NAMES})

_WRONG = frozenset({Kind.CURSOR, Kind.MISMATCHED})


class Finding(Struct, frozen=True):
    """One of them.

    Attributes:
        paths: the files of the thread, where a thread is the matter.
        detail: what exactly; columns by their names, never what they hold.
        stamp: the file as it was looked at, where that is the matter.
        indexed_at_ms: when the row was written that was looked at.
    """

    kind: Kind
    path: str | None = None
    thread_id: str | None = None
    paths: tuple[str, ...] = ()
    detail: str = ""
    stamp: FileStamp | None = None
    indexed_at_ms: int | None = None


def subject(finding: Finding) -> str:
    """What a finding is about: a path, an id, or the whole."""
    return finding.path or finding.thread_id or finding.kind


class Verdict(Struct, frozen=True):
    """What was compared, and what was found.

    Attributes:
        bytes: read to get here, as they are when decompressed.
        seconds: how long it took.
    """

    deep: bool
    files: int
    threads: int
    bytes: int
    seconds: float
    drift: tuple[Finding, ...]
    notes: tuple[Finding, ...]

    def distrusted(self) -> list[str]:
        """Files whose rows are not to be built upon when this is put right."""
        found: dict[str, None] = {}
        for finding in self.drift:
            # What has only been added to goes on from its cursor, unless all is in question.
            if finding.kind in _WRONG or (self.deep and finding.kind is Kind.STALE):
                found |= dict.fromkeys(finding.paths)
                if finding.path is not None:
                    found[finding.path] = None
        return list(found)
