"""Where a rollout is, of the places where Codex may have put it."""

from collections.abc import Iterator
from pathlib import Path

from rolloutd.rollout.discovery import Candidate, look
from rolloutd.rollout.names import elsewhere


def plain_of(path: str) -> str:
    """The watermark without the ending of compressed ones."""
    return path.removesuffix(".zst")


def forms_of(plain: str) -> tuple[str, str]:
    """The watermarks of the plain file and of its compressed form."""
    return plain, plain + ".zst"


def places_of(path: str) -> tuple[str, ...]:
    """The plain watermarks of where a file is or was, and where Codex would have moved it."""
    plain = plain_of(path)
    return plain, *elsewhere(plain)


def visible(home: Path, plain: str) -> Iterator[Candidate]:
    """The plain file, or else its compressed form; both if the plain one is no regular file.

    Raises:
        OSError: it cannot be told.
    """
    for path in forms_of(plain):
        candidate = look(home, path)
        if candidate is not None:
            yield candidate
            if candidate.problem is None:
                return


def look_around(home: Path, plain: str) -> Iterator[Candidate]:
    """What is there now, and where Codex would have moved a file from there, in either form.

    Raises:
        OSError: it cannot be told.
    """
    for place in places_of(plain):
        yield from visible(home, place)
