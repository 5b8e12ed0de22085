"""Reader processes: how many suit this machine, and their start.

Quick to import: they can start while their parent imports the rest of itself.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn, Protocol

# More readers than this would wait for the disk, or for the one writer.
MOST_READERS = 4

_ENDING_SECONDS = 2.0
_LOOK_SECONDS = 0.005
_LAST_STREAM = 2
_LINUX = hasattr(os, "sched_getaffinity")


class ReaderProcess(Protocol):
    """A reader as its parent has it, between a pipe to it and one from it; it ends with those."""

    @property
    def input(self) -> int:
        """Where it is told its jobs: a descriptor, as `output`."""

    @property
    def output(self) -> int:
        """Where it answers."""

    def ended(self) -> int:
        """The exit code of one whose output has ended; it is killed if it goes on regardless."""

    def end(self) -> int:
        """Kill it, if it still lives, and wait for it; returns its exit code."""


def reader_count() -> int:
    """How many readers suit this machine."""
    return max(1, min(MOST_READERS, len(os.sched_getaffinity(0)))) if _LINUX else MOST_READERS


class SpawnedReader:
    """A reader that is a program of its own."""

    def __init__(self) -> None:
        # -P: the current directory must not be able to replace our modules.
        command = [sys.executable, "-P", "-m", "rolloutd.rollout.worker"]
        pipe = subprocess.PIPE
        with _signals_blocked():
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.input = self._process.stdin.fileno()
        self.output = self._process.stdout.fileno()

    def ended(self) -> int:
        """See `ReaderProcess`."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING_SECONDS)
        return self.end()

    def end(self) -> int:
        """See `ReaderProcess`."""
        self._process.kill()
        with self._process:
            pass
        return self._process.returncode


class ForkedReader:
    """A reader that is a copy of this process, which is hardly more than a reader so far.

    Its start costs next to nothing. To be made while this process has but one thread, and no file
    open that is not for others to have.
    """

    def __init__(self, serve: Callable[[], None]) -> None:
        its_input, self.input = os.pipe()
        self.output, its_output = os.pipe()
        with _signals_blocked():
            self._pid = os.fork()
            if self._pid == 0:
                _become_reader(serve, its_input, its_output)
        os.close(its_input)
        os.close(its_output)
        self._pipes = [self.input, self.output]
        self._code: int | None = None

    def ended(self) -> int:
        """See `ReaderProcess`."""
        limit = time.monotonic() + _ENDING_SECONDS
        while self._code is None and time.monotonic() < limit:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(_LOOK_SECONDS)
        return self.end()

    def end(self) -> int:
        """See `ReaderProcess`."""
        if self._code is None:
            os.kill(self._pid, signal.SIGKILL)
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        while self._pipes:
            os.close(self._pipes.pop())
        return self._code


def fork_readers() -> list[ReaderProcess]:
    """As many as suit this machine, or fewer if it has no room for them."""
    from rolloutd.rollout.worker import import_serving

    serve = import_serving()
    readers: list[ReaderProcess] = []
    with suppress(OSError):
        for _ in range(reader_count()):
            readers.append(ForkedReader(serve))  # noqa: PERF401
    return readers


def _become_reader(serve: Callable[[], None], its_input: int, its_output: int) -> NoReturn:
    code = 1
    try:
        os.dup2(its_input, 0)
        os.dup2(its_output, 1)
        _close_others()
        serve()
        code = 0
    except BaseException:  # noqa: BLE001
        sys.excepthook(*sys.exc_info())
    finally:
        # What its parent has put off until its own end is not for a reader to do.
        os._exit(code)


def _close_others() -> None:
    """Close the parent's ends of all pipes, and what that one was started with."""
    # Some may lie beyond today's limit on how many there are.
    for descriptor in [int(each.name) for each in Path("/dev/fd").iterdir()]:
        if descriptor > _LAST_STREAM:
            with suppress(OSError):  # of the listing itself
                os.close(descriptor)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """What ends a whole group is for the parent alone, from the reader's first moment on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
