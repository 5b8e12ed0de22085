"""SIGTERM, SIGINT and SIGHUP, from the first moment of the daemon's program to its last."""

import os
import signal
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

    `hear` is called between any two steps of the main thread.
    """
    for number in (*_STOP, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: hear(number))
    try:
        yield
    finally:
        for number in (*_STOP, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
