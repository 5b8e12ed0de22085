"""Hints: where something may have changed. They say where to look, never what is true there.

The tidying of events is a pure function; the mailbox hands its results from the tasks that
listen to the thread that works.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePath

from rolloutd.rollout.names import ROOTS, is_rollout_name
from rolloutd.rollout.session_index import FILE_NAME

# So many places are remembered at most.
MOST_PLACES = 20_000


@dataclass(slots=True)
class Hints:
    """Places to look at, relative to the home, in the order in which they were told.

    `names` says that the session index has changed, `everything` asks for a reconcile before
    long, `urgent` for one now.
    """

    files: dict[str, None] = field(default_factory=dict)
    directories: dict[str, None] = field(default_factory=dict)
    names: bool = False
    everything: bool = False
    urgent: bool = False

    def __bool__(self) -> bool:
        return bool(self.files or self.directories or self.names or self.everything or self.urgent)

    def add(self, other: "Hints") -> None:
        """Take over what another one says."""
        self.files |= other.files
        self.directories |= other.directories
        self.names = self.names or other.names
        self.everything = self.everything or other.everything
        self.urgent = self.urgent or other.urgent
        if len(self.files) + len(self.directories) > MOST_PLACES:
            # As when nobody has taken them for long; it is less work to look everywhere.
            self.files.clear()
            self.directories.clear()
            self.everything = True


def tidy(home: str, events: Iterable[tuple[str, str]]) -> Hints:
    """Hints from events, each `added`, `modified`, `deleted` or `lost` with an absolute path.

    A rollout's name is a file to look at. Anything else that appears, or can be listed again, may
    be a directory, with files in it that no event tells of; one that disappears may have held
    files, which only a reconcile can find to be gone.
    """
    hints = Hints()
    prefix = home.rstrip("/") + "/"
    for kind, path in events:
        if kind == "lost":
            hints.everything = True
            continue
        relative = path.removeprefix(prefix)
        parts = PurePath(relative).parts
        if relative == FILE_NAME:
            hints.names = True
        if relative == path or not parts or parts[0] not in ROOTS:
            continue
        if is_rollout_name(parts[-1]):
            hints.files[relative] = None
        elif kind == "deleted":
            hints.everything = True
        else:
            hints.directories[relative] = None
    return hints


class Mailbox:
    """Where hints wait until the worker has time for them; any thread may post."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._hints = Hints()
        self._stopping = False
        self._is_in_doubt = False
        self._wake: Callable[[], None] | None = None

    def post(self, hints: Hints) -> None:
        """Add hints."""
        with self._condition:
            self._hints.add(hints)
            self._condition.notify_all()

    def ask_reconcile(self, *, urgent: bool = False) -> None:
        """Ask that everything be looked at, without there having been an event."""
        self.post(Hints(everything=True, urgent=urgent))

    def doubt(self) -> None:
        """Say that something has happened of which no event told."""
        self._is_in_doubt = True

    def was_in_doubt(self) -> bool:
        """Whether that was said since the last time this was asked."""
        doubt, self._is_in_doubt = self._is_in_doubt, False
        return doubt

    def stop(self) -> None:
        """Ask the worker to stop."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
            if self._wake is not None:
                self._wake()

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Whoever waits for something else meanwhile is woken by this when it is time to stop."""
        with self._condition:
            self._wake = wake
            if self._stopping:
                wake()
        try:
            yield
        finally:
            with self._condition:
                self._wake = None

    @property
    def stopping(self) -> bool:
        """Whether the worker is to stop."""
        return self._stopping

    def waiting(self) -> int:
        """How many files and directories are to be looked at."""
        with self._condition:
            return len(self._hints.files) + len(self._hints.directories)

    def take(self, timeout: float, most: int) -> Hints:
        """The oldest hints, at most so many files; none if none come within `timeout` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._hints or self._stopping, timeout)
            taken, self._hints = self._hints, Hints()
            for path in list(taken.files)[most:]:
                self._hints.files[path] = taken.files.pop(path)
            return taken

    def wait(self, timeout: float) -> None:
        """Wait so many seconds, or until asked to stop; hints stay where they are."""
        with self._condition:
            self._condition.wait_for(lambda: self._stopping, timeout)
