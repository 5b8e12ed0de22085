"""Serving jobs: they come in on standard input, readings go out on standard output."""

import gc
import os
import signal
from contextlib import suppress

from rolloutd.rollout.lines import BUFFER_BYTES
from rolloutd.rollout.messages import (
    Assignment,
    Frames,
    Job,
    Told,
    decode_assignment,
    decode_job,
    framed,
    read_some,
)
from rolloutd.rollout.parts import read_part
from rolloutd.rollout.reading import read_rollout

_NICENESS = 5


def serve() -> None:
    """Serve until standard input ends; what comes first is the assignment, and then jobs."""
    # A terminal's Ctrl-C, or a service manager, signals the whole group; only the parent decides
    # when we end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # Nothing here makes cycles, and looking for them costs a tenth of the time.
    gc.disable()
    # The parent alone can write what is read here: where there are fewer processors than of us, it
    # comes first. Under systemd we may not say so.
    with suppress(PermissionError):
        os.nice(_NICENESS)
    assignment: Assignment | None = None
    frames = Frames()
    buffer = bytearray(BUFFER_BYTES)
    # A broken pipe says that the parent is gone: there is nobody left to read for.
    with suppress(BrokenPipeError):
        _tell(Told(hello=True))
        while data := read_some(0):
            for message in frames.feed(data):
                if assignment is None:
                    assignment = decode_assignment(message)
                else:
                    _tell(_done(decode_job(message), assignment, buffer))


def _done(job: Job, assignment: Assignment, buffer: bytearray) -> Told:
    home, line_limit = assignment.home, assignment.line_limit
    if job.part is not None:
        part = read_part(home, job.path, job.part, line_limit=line_limit, buffer=buffer)
        return Told(taken=part.read if part else 0, unjoinable=part is None, part=part)
    taken = 0

    def on_bytes(count: int) -> None:
        nonlocal taken
        taken += count
        _tell(Told(taken=count))

    try:
        reading = read_rollout(
            home,
            job.path,
            job.known,
            limit=job.limit,
            line_limit=line_limit,
            on_bytes=on_bytes,
            buffer=buffer,
        )
    except FileNotFoundError:
        return Told(gone=True)
    return Told(taken=reading.read - taken, reading=reading)


def _tell(message: Told) -> None:
    data = memoryview(framed(message))
    while data:
        data = data[os.write(1, data) :]
