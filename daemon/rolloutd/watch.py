"""The watcher: native file events where they can be had, and honesty where they cannot.

What watchfiles does not tell (users.md lists its holes) is made up for elsewhere: a directory
event scans that directory, a reconcile looks at everything every now and then. Here it is only
made sure that a watch is armed on the roots that are there, and armed again when a root appears,
vanishes, is replaced, or the watch dies.
"""

import errno
import logging
import os
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Literal, TypeAlias

import anyio
import anyio.from_thread
from watchfiles import awatch

from rolloutd.filesystems import has_events
from rolloutd.hints import Hints, Mailbox, tidy
from rolloutd.rollout.names import ROOTS
from rolloutd.rollout.session_index import FILE_NAME

_log = logging.getLogger(__name__)

Mode: TypeAlias = Literal["native", "poll"]
Wanted: TypeAlias = Literal["auto", "native", "poll"]

# Events of one burst are gathered: until there are none for a step, or for this long. The watcher
# wakes once a step even when there is nothing: a shorter one would cost more than it gains.
_GATHER_MS = 150
_STEP_MS = 75
_LOOK_SECONDS = 2.0
_POLL_SECONDS = 2.0
_BACKOFF_SECONDS = (0.5, 30.0)
_NO_ROOM_SECONDS = 300.0
_NO_ROOM = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE})

_Stamp: TypeAlias = tuple[int, ...] | None


class Watcher:
    """Posts hints for as long as it runs.

    Attributes:
        mode: how it comes by them now.
        armed: set once the first watch is armed, or is known to be impossible.
        restarts: how often a watch had to be armed again.
        last_event: when the last event came, epoch seconds.
    """

    def __init__(self, home: Path, mailbox: Mailbox, wanted: Wanted) -> None:
        self.mode: Mode = "poll"
        self.armed = anyio.Event()
        self.restarts = 0
        self.last_event: float | None = None
        self._home = home
        self._mailbox = mailbox
        self._wanted = wanted
        self._backoff = _BACKOFF_SECONDS[0]
        self._names: _Stamp = _stamp(home / FILE_NAME)

    async def run(self) -> None:
        """Watch until the mailbox is told to stop."""
        while not self._mailbox.stopping:
            failure: Exception | None = None
            began = time.monotonic()
            try:
                await self._watch()
            # RuntimeError is what watchfiles raises for whatever it did not expect, in a group.
            except* (OSError, RuntimeError) as group:
                failure = _only(group)
            if failure is not None:
                await self._recover(failure, time.monotonic() - began)
            self.restarts += 1

    async def _recover(self, failure: Exception, lasted: float) -> None:
        least, most = _BACKOFF_SECONDS
        if lasted > most:
            self._backoff = least
        delay = _NO_ROOM_SECONDS if _is_no_room(failure) else self._backoff
        self._backoff = min(2 * self._backoff, most)
        _log.warning("%s; polling, watching again in %.1f s", _told(failure), delay)
        self._begin("poll")
        with anyio.move_on_after(delay):
            await self._poll(self._roots())

    def _begin(self, mode: Mode) -> None:
        self.mode = mode
        if self.armed.is_set():
            # What happened while nothing watched is found by looking.
            self._mailbox.ask_reconcile()
        self.armed.set()

    async def _watch(self) -> None:
        """Watch the roots as they are; returns when they are others, or to stop."""
        roots = self._roots()
        paths = [self._home / name for name, stamp in roots.items() if stamp is not None]
        if not paths or not self._is_native(paths):
            self._begin("poll")
            await self._poll(roots)
            return
        gone = {("deleted", os.fspath(path)) for path in paths}
        watch = awatch(
            *paths,
            watch_filter=None,
            debounce=_GATHER_MS,
            step=_STEP_MS,
            rust_timeout=round(_LOOK_SECONDS * 1000),
            yield_on_timeout=True,
            force_polling=False,
            ignore_permission_denied=True,
            stop_event=_Armed(lambda: self._begin("native"), self._mailbox),
        )
        async with aclosing(watch) as batches:
            looked = time.monotonic()
            async for changes in batches:
                events = {(change.raw_str(), path) for change, path in changes}
                if events:
                    self.last_event = time.time()
                    self._mailbox.post(tidy(os.fspath(self._home), events))
                if time.monotonic() - looked >= _LOOK_SECONDS:
                    looked = time.monotonic()
                    self._look_at_names()
                    if self._roots() != roots:
                        return
                # A root made anew may have the inode of the one that is gone.
                if events & gone:
                    return

    async def _poll(self, roots: dict[str, _Stamp]) -> None:
        """Ask for a look at everything, over and over; returns when the roots are others."""
        asked = time.monotonic()
        while self._roots() == roots and not self._mailbox.stopping:
            await anyio.sleep(_LOOK_SECONDS)
            self._look_at_names()
            if time.monotonic() - asked >= _POLL_SECONDS:
                asked = time.monotonic()
                self._mailbox.ask_reconcile()

    def _look_at_names(self) -> None:
        stamp = _stamp(self._home / FILE_NAME)
        if stamp != self._names:
            self._names = stamp
            self.last_event = time.time()
            self._mailbox.post(Hints(names=True))

    def _is_native(self, paths: list[Path]) -> bool:
        return self._wanted == "native" or (
            self._wanted == "auto" and all(has_events(path) for path in paths)
        )

    def _roots(self) -> dict[str, _Stamp]:
        """Which roots are there; a root that was replaced is another one."""
        found = {name: _stamp(self._home / name) for name in ROOTS}
        return {name: stamp and stamp[:2] for name, stamp in found.items()}


class _Armed:
    """Passed to the watcher as its stop event: once it asks for it, it is armed."""

    def __init__(self, tell: Callable[[], None], mailbox: Mailbox) -> None:
        self._tell: Callable[[], None] | None = tell
        self._mailbox = mailbox
        self._stopped = False

    def is_set(self) -> bool:
        """Called from the watcher's thread, once a step."""
        if self._tell is not None:
            anyio.from_thread.run_sync(self._tell)
            self._tell = None
        return self._stopped or self._mailbox.stopping

    def set(self) -> None:
        """Called when the watch is given up."""
        self._stopped = True


def _stamp(path: Path) -> _Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _only(group: BaseExceptionGroup[Exception]) -> Exception:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)
    return error


def _is_no_room(error: Exception) -> bool:
    return getattr(error, "errno", None) in _NO_ROOM or "limit" in str(error).lower()


def _told(error: Exception) -> str:
    # The message may hold a path, which is not for the log.
    if _is_no_room(error):
        return "the system has no more file watches to give (fs.inotify.max_user_watches)"
    return f"the file watch failed ({type(error).__name__})"
