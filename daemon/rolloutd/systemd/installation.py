"""Installing the unit for one user, starting it, taking it away, and how it is."""

import os
import pwd
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rolloutd.errors import RolloutdError
from rolloutd.systemd.systemctl import ManagerRefused, Systemctl, UnitState
from rolloutd.systemd.unit import NAME, database_of, version_of

_POLL_SECONDS = 0.2
_STOP_SECONDS = 45.0
_LINGERING = Path("/var/lib/systemd/linger")


class UnitForeign(RolloutdError):
    """There is a unit of that name that we have not written, or that was edited since."""


class UnitUnusable(RolloutdError):
    """Its file, or the folder that it lies in, cannot be read or written."""


@dataclass(frozen=True, slots=True)
class UnitFile:
    """The unit on disk.

    Attributes:
        version: of the rolloutd that wrote it; None if it is not as one has written it.
        database: which it was written for, if that can be told.
        changed: when it was written, epoch seconds.
    """

    text: str
    version: str | None
    database: Path | None
    changed: float


class Service:
    """rolloutd as the service of the user that runs this process; its unit lies at `path`."""

    def __init__(self, systemctl: Systemctl, path: Path) -> None:
        self.path = path
        self._systemctl = systemctl

    def file(self) -> UnitFile | None:
        """The unit's file; None if there is none.

        Raises:
            UnitUnusable: it cannot be read.
        """
        with _usable(self.path):
            try:
                status = self.path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            if self.path.is_symlink():  # somebody's collection of units, or masked
                return UnitFile("", None, None, status.st_mtime)
            text = self.path.read_text(errors="replace")
        return UnitFile(text, version_of(text), database_of(text), status.st_mtime)

    def state(self) -> UnitState:
        """How the service is."""
        return self._systemctl.state(NAME)

    def elsewhere(self) -> str | None:
        """Where the manager has a unit of that name from, if that is not the file at `path`."""
        fragment = self.state().fragment
        return None if fragment in ("", str(self.path)) else fragment

    def is_left_over(self) -> bool:
        """Whether the manager runs it, or would start it, though its file is not there."""
        if self.file() is not None:
            return False
        if self._dangling_links():
            return True
        return self.elsewhere() is None and self.state().active != "inactive"

    def write(self, text: str, *, force: bool) -> Path | None:
        """Put the unit there, and have the manager read and enable it.

        `force` moves one aside that is not as we have written it; returns where to.

        Raises:
            UnitForeign: it is not as we have written it.
            UnitUnusable: it cannot be written.
            ManagerRefused: see there; or it has another unit of that name, and all is as before.
        """
        saved = None
        there = self.file()
        if there is not None and there.version is None:
            saved = self._move_aside(force=force)
        if there is None or there.text != text:
            with _usable(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # Whoever reads it, even now, reads the whole of it.
                draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
                draft.write_text(text)
                draft.chmod(0o644)
                draft.replace(self.path)
        self._systemctl.ask("daemon-reload")
        fragment = self.state().fragment
        if fragment != str(self.path):
            self._take_back(there, saved)
            reads = fragment or "no such unit"
            raise ManagerRefused(
                f"the manager reads {reads} instead of {self.path}: left as it was"
            )
        self._systemctl.ask("enable", NAME)
        return saved

    def has_to_start(self) -> bool:
        """Whether what runs is not the unit as it is now."""
        there = self.file()
        state = self.state()
        is_old = there is not None and (state.started or 0) < int(there.changed)
        return state.active not in ("active", "reloading") or is_old

    def start(self, seconds: float) -> Iterator[UnitState]:
        """Start it, anew if it runs; its states from then on.

        Ends when it is ready, when it fails, or after so many seconds: then it goes on alone.
        """
        before = self.state().invocation
        self._systemctl.ask("restart", "--no-block", NAME)
        deadline = time.monotonic() + seconds
        while True:
            state = self.state()
            is_new = state.invocation != before
            yield state
            if is_new and (state.active == "active" or state.is_failing):
                return
            if time.monotonic() >= deadline:
                return
            time.sleep(_POLL_SECONDS)

    def last_words(self, state: UnitState, lines: int) -> list[str]:
        """What it has logged last, where the journal can be read."""
        return self._systemctl.last_words(state.invocation, lines) if state.invocation else []

    def remove(self, *, force: bool) -> Path | None:
        """Stop it, and take the unit away; `force` moves an edited one aside, returns where to.

        What runs of another one, that is not at `path`, is not ours to stop.

        Raises:
            UnitForeign: it is not as we have written it.
            ManagerRefused: it does not stop.
        """
        there = self.file()
        if there is not None and there.version is None and not force:
            self._move_aside(force=False)
        is_read = self.elsewhere() is None
        if is_read and self.state().active != "inactive":
            self._stop()
        linked = self.path.readlink() if self.path.is_symlink() else None
        if there is not None and is_read:
            self._systemctl.ask("disable", NAME)
        saved = None
        if there is not None and there.version is None:
            if linked is not None and not os.path.lexists(self.path):
                # A unit that is a link is taken away with those by which it was enabled.
                self.path.symlink_to(linked)
            saved = self._move_aside(force=True)
        self.path.unlink(missing_ok=True)
        for link in self._dangling_links():
            link.unlink()
        self._systemctl.ask("daemon-reload")
        if is_read and self.state().active == "failed":
            self._systemctl.ask("reset-failed", NAME)
        return saved

    def _take_back(self, before: UnitFile | None, saved: Path | None) -> None:
        with _usable(self.path):
            if saved is not None:
                saved.replace(self.path)
            elif before is None:
                self.path.unlink()
            else:
                self.path.write_text(before.text)
        self._systemctl.ask("daemon-reload")

    def _dangling_links(self) -> list[Path]:
        """By which it was enabled, until the next boot or for good, where its file is gone."""
        folders = (self.path.parent, Path(f"/run/user/{os.getuid()}/systemd/user"))
        # (A pattern that ends in the name would find no dangling ones, before Python 3.12.)
        links = (
            needing / self.path.name
            for folder in folders
            for kind in ("*.wants", "*.requires")
            for needing in folder.glob(kind)
        )
        return [link for link in links if link.is_symlink() and not link.exists()]

    def _stop(self) -> None:
        self._systemctl.ask("stop", "--no-block", NAME)
        deadline = time.monotonic() + _STOP_SECONDS
        while self.state().active not in ("inactive", "failed"):
            if time.monotonic() >= deadline:
                raise ManagerRefused(f"{NAME} has not stopped within {_STOP_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)

    def _move_aside(self, *, force: bool) -> Path:
        if not force:
            raise UnitForeign(
                f"{self.path}: edited, or not written by rolloutd: left alone. Changes of your own"
                f" are safe in a drop-in (`systemctl --user edit {NAME}`); --force moves this file"
                " aside"
            )
        stamp = time.strftime("%Y%m%dT%H%M%S")
        target = self.path.with_name(f"{self.path.name}.saved-{stamp}")
        number = 1
        while os.path.lexists(target):
            number += 1
            target = self.path.with_name(f"{self.path.name}.saved-{stamp}-{number}")
        with _usable(self.path):
            return self.path.rename(target)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnitUnusable(f"{path}: {error.strerror}") from error


def user_name() -> str:
    """Who the service is installed for."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def is_lingering() -> bool:
    """Whether this user's services run while they are not logged in."""
    return (_LINGERING / user_name()).exists()
