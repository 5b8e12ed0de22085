"""What watches are, of whatever kind, and what they tell."""

from typing import Literal, NamedTuple, Protocol, TypeAlias

Kind: TypeAlias = Literal["added", "modified", "deleted", "lost"]


class FileEvent(NamedTuple):
    """Something has happened to `path`, which is absolute.

    `lost`: below it, and nobody knows what.
    """

    kind: Kind
    path: str


class Watches(Protocol):
    """Watches on a Codex home; whoever arms them closes them.

    Attributes:
        cost: seconds that it took to find all that is there and to watch it.
    """

    cost: float

    def wait(self, seconds: float) -> list[FileEvent]:
        """What happens, a burst at a time; empty after so many seconds without anything.

        Raises:
            OSError: the watches are dead.
        """

    def stop(self) -> None:
        """Have `wait` return at once, from now on; any thread may call it."""

    def are_outdated(self) -> bool:
        """Whether something is there that is not watched."""

    def renew(self) -> list[FileEvent]:
        """Watch what is there now; returns what was not watched before, as if it were new.

        Raises:
            OSError: that cannot be had.
        """

    def close(self) -> None:
        """Give them back."""
