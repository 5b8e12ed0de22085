"""SIGTERM, SIGINT and SIGHUP, from the first moment of the program to its last."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The program's first moments are not to be spent on it.
    from asyncio import AbstractEventLoop

_STOP = (signal.SIGTERM, signal.SIGINT)


def end_at_once() -> None:
    """Until `interrupt_again`, Ctrl-C ends the process by the signal, and is no exception.

    Where it is ignored (a shell's background jobs), it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt_again() -> None:
    """Ctrl-C is an exception from here on, as Python has it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
def heard(loop: "AbstractEventLoop", hear: Callable[[int], None]) -> Iterator[None]:
    """Meanwhile, signals are passed on; afterwards none can disturb an end that has begun.

    `hear` is called between any two steps of the main thread, which runs the loop.
    """
    with _woken_by_signals(loop):
        for number in (*_STOP, signal.SIGHUP):
            signal.signal(number, lambda number, _frame: hear(number))
        try:
            yield
        finally:
            for number in (*_STOP, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)


@contextmanager
def _woken_by_signals(loop: "AbstractEventLoop") -> Iterator[None]:
    # The kernel gives a signal to any thread when the main one has another to deal with already;
    # that would sleep on (signal.set_wakeup_fd).
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    loop.add_reader(read, os.read, read, 4096)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        loop.remove_reader(read)
        os.close(read)
        os.close(write)
