"""Watches of whole trees, by watchfiles: where the system has such, as FSEvents of macOS."""

import threading
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from watchfiles import Change, watch

from rolloutd.events.watches import FileEvent, Kind
from rolloutd.rollout.names import ROOTS
from rolloutd.rollout.session_index import FILE_NAME
from rolloutd.stamp import stamp_of

# Events of one burst are gathered: until there are none for a step, or for this long. The watcher
# wakes once a step even when there is nothing: a shorter one would cost more than it gains.
_GATHER_MS = 150
_STEP_MS = 75
# Of more events at once than this, some have probably been dropped in silence.
_FLOOD_EVENTS = 2000
_ATTEMPTS = 3

_KINDS: dict[Change, Kind] = {
    Change.added: "added",
    Change.modified: "modified",
    Change.deleted: "deleted",
}

_Changes: TypeAlias = set[tuple[Change, str]]


class TreeWatches:
    """See `Watches`."""

    def __init__(self, home: Path) -> None:
        self.cost = 0.0
        self._home = home
        self._stop = threading.Event()
        self._files: dict[str, tuple[int, int]] = {}
        self._kept: list[FileEvent] = []
        self._told = self._armed()

    def wait(self, seconds: float) -> list[FileEvent]:
        """See `Watches`."""
        until = time.monotonic() + seconds
        while not self._kept and time.monotonic() < until and not self._stop.is_set():
            self._keep(self._told)
        kept, self._kept = self._kept, []
        return kept

    def stop(self) -> None:
        """See `Watches`."""
        self._stop.set()

    def are_outdated(self) -> bool:
        """See `Watches`."""
        return self._files != self._there()

    def renew(self) -> list[FileEvent]:
        """See `Watches`."""
        known = self._files
        with closing(self._told) as before:
            self._told = self._armed()
            self._keep(before)
        new = [path for path, file in self._files.items() if known.get(path) != file]
        return [FileEvent("added", path) for path in new]

    def close(self) -> None:
        """See `Watches`."""
        self._told.close()

    def _keep(self, told: Generator[_Changes, None, None]) -> None:
        try:
            changes = next(told, _Changes())
        except RuntimeError as error:
            raise OSError(str(error)) from error
        self._kept += (FileEvent(_KINDS[change], path) for change, path in changes)
        if len(changes) >= _FLOOD_EVENTS:
            self._kept.append(FileEvent("lost", str(self._home)))

    def _armed(self) -> Generator[_Changes, None, None]:
        for _ in range(_ATTEMPTS - 1):
            try:
                return self._arm()
            except FileNotFoundError:
                continue  # Something has gone since it was seen.
        return self._arm()

    def _arm(self) -> Generator[_Changes, None, None]:
        began = time.monotonic()
        files = self._there()
        told = watch(
            *files,
            watch_filter=None,
            debounce=_GATHER_MS,
            step=_STEP_MS,
            stop_event=self._stop,
            rust_timeout=_STEP_MS,
            yield_on_timeout=True,
            force_polling=False,
            # It would hide every failure.
            ignore_permission_denied=False,
        )
        # It watches from the first time on that it is asked.
        self._keep(told)
        self._files = files
        self.cost = time.monotonic() - began
        return told

    def _there(self) -> dict[str, tuple[int, int]]:
        """The roots and the session index, each with its device and inode."""
        paths = (self._home / name for name in (FILE_NAME, *ROOTS))
        stamps = ((path, stamp_of(path)) for path in paths)
        return {
            str(path): (stamp.device, stamp.inode) for path, stamp in stamps if stamp is not None
        }
