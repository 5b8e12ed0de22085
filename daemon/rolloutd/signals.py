"""SIGTERM, SIGINT and SIGHUP, from the first moment of the daemon's program to its last."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_STOP = (signal.SIGTERM, signal.SIGINT)


def end_well_at_once() -> None:
    """Until there is something to be undone: a request to stop ends the process, with 0.

    SIGHUP, which would end it too, is passed over: all will be looked at in any case.
    """
    for number in _STOP:
        signal.signal(number, _end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _end(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


@contextmanager
def heard(hear: Callable[[int], None]) -> Iterator[None]:
    """Meanwhile, signals are passed on; afterwards none can disturb an end that has begun.

    `hear` is called between any two steps of the main thread, which runs an event loop.
    """
    with _woken_by_signals():
        for number in (*_STOP, signal.SIGHUP):
            signal.signal(number, lambda number, _frame: hear(number))
        try:
            yield
        finally:
            for number in (*_STOP, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)


@contextmanager
def _woken_by_signals() -> Iterator[None]:
    # The kernel gives a signal to any thread when the main one has another to deal with already;
    # that would sleep on (signal.set_wakeup_fd).
    loop = asyncio.get_running_loop()
    read, write = socket.socketpair()
    with read, write:
        read.setblocking(False)
        write.setblocking(False)
        loop.add_reader(read, read.recv, 4096)
        before = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            loop.remove_reader(read)
