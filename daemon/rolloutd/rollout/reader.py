"""One reader process, seen from its parent."""

import fcntl
import os
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from rolloutd.rollout.messages import (
    Assignment,
    Frames,
    Job,
    Told,
    decode_told,
    framed,
    read_some,
)
from rolloutd.rollout.processes import ReaderProcess

# A reader has jobs at hand for as long as its parent may be busy with writing a batch, or with a
# checkpoint, and room in the pipe for their results; but few wait behind a large one while another
# reader is free.
_QUEUE_JOBS = 800
_QUEUE_BYTES = 64 * 1024 * 1024
# While the parent is still importing its other half, it cannot give more.
_AHEAD_BYTES = 256 * 1024 * 1024
# What a job takes beside its bytes, in bytes that take as long.
_JOB_BYTES = 64 * 1024
_PIPE_BYTES = 1024 * 1024


class Reader:
    """A reader process, and the jobs that it was given and has not answered."""

    def __init__(self, process: ReaderProcess, assignment: Assignment) -> None:
        self._process = process
        self.input = process.input
        self.output = process.output
        os.set_blocking(self.input, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with suppress(PermissionError):  # over what a user may have in pipes: then less
                for pipe in (self.output, self.input):
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self.greeted = False
        self.jobs: deque[tuple[int, Job]] = deque()
        self._queued_bytes = 0
        self._unsent = bytearray(framed(assignment))
        self._frames = Frames()

    @property
    def load(self) -> int:
        """How much work it has been given, in bytes."""
        return self._queued_bytes + _JOB_BYTES * len(self.jobs)

    def takes(self, job: Job, *, ahead: bool) -> bool:
        """Whether the job may be given to this reader now, or `ahead` of the call to read it."""
        if not self.jobs:
            return True
        most = _AHEAD_BYTES if ahead else _QUEUE_BYTES
        return len(self.jobs) < _QUEUE_JOBS and self._queued_bytes + job.size <= most

    def has(self, number: int) -> bool:
        """Whether it was given a job of that number."""
        return any(each == number for each, _ in self.jobs)

    def done(self) -> tuple[int, Job]:
        """Take the job that it was at from its queue."""
        number, job = self.jobs.popleft()
        self._queued_bytes -= job.size
        return number, job

    def give(self, number: int, job: Job) -> None:
        """Queue a job."""
        self.jobs.append((number, job))
        self._queued_bytes += job.size
        self._unsent += framed(job)

    @property
    def has_unsent(self) -> bool:
        """Whether `send` has something to do."""
        return bool(self._unsent)

    def send(self) -> None:
        """Write as much as the pipe takes."""
        try:
            del self._unsent[: os.write(self.input, self._unsent)]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._unsent.clear()  # It died; `heard` will see the end of its output.

    def heard(self) -> Iterator[tuple[int, Told]] | None:
        """What it says now, each with its size in bytes; None if it is dead."""
        data = read_some(self.output)
        if not data:
            return None
        return ((len(message), decode_told(message)) for message in self._frames.feed(data))

    def ended(self) -> int:
        """The exit code of one whose output has ended."""
        return self._process.ended()

    def end(self) -> int:
        """Kill it, if it still lives, and wait for it; returns its exit code."""
        return self._process.end()
