"""inotify(7) by its system calls, with a way to end a wait from outside. Linux only."""

import ctypes
import os
import select
import struct
from collections.abc import Iterator
from typing import NamedTuple

MODIFY = 0x2
ATTRIB = 0x4
CLOSE_WRITE = 0x8
MOVED_FROM = 0x40
MOVED_TO = 0x80
CREATE = 0x100
DELETE = 0x200
DELETE_SELF = 0x400
MOVE_SELF = 0x800
UNMOUNT = 0x2000
Q_OVERFLOW = 0x4000
IGNORED = 0x8000
ONLYDIR = 0x1000000
DONT_FOLLOW = 0x2000000
ISDIR = 0x40000000

_HEAD = struct.Struct("iIII")
_BUFFER_BYTES = 1 << 16
# Whoever writes faster than we read is not read to an end that never comes.
_READS = 64

_libc = ctypes.CDLL(None, use_errno=True)
_init = _libc.inotify_init1
_init.argtypes = (ctypes.c_int,)
_add = _libc.inotify_add_watch
_add.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)
_remove = _libc.inotify_rm_watch
_remove.argtypes = (ctypes.c_int, ctypes.c_int)


class Told(NamedTuple):
    """An event as the kernel has it: of which watch, what, and of which entry in it, if of one."""

    watch: int
    mask: int
    name: str


class Inotify:
    """One inotify instance.

    Raises:
        OSError: the kernel has none to give.
    """

    def __init__(self) -> None:
        self._descriptor = _checked(_init(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            self._stop = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        except OSError:
            os.close(self._descriptor)
            raise
        self._stopped = select.poll()
        self._stopped.register(self._stop, select.POLLIN)
        self._either = select.poll()
        self._either.register(self._stop, select.POLLIN)
        self._either.register(self._descriptor, select.POLLIN)

    def add(self, path: str, mask: int) -> int:
        """Watch something, or what is watched already by another mask; returns its number.

        Raises:
            OSError: see inotify_add_watch(2).
        """
        return _checked(_add(self._descriptor, os.fsencode(path), mask))

    def remove(self, watch: int) -> None:
        """End a watch; one that the kernel has ended meanwhile, too."""
        _remove(self._descriptor, watch)

    def wait(self, seconds: float) -> bool:
        """Whether there are events to read, within so many seconds; False once stopped."""
        ready = dict(self._either.poll(seconds * 1000))
        return bool(ready) and self._stop not in ready

    def pause(self, seconds: float) -> bool:
        """Let events gather for so long; returns whether it was stopped."""
        return bool(self._stopped.poll(seconds * 1000))

    def read(self) -> Iterator[Told]:
        """The events that are there, in their order.

        Raises:
            OSError: the instance is dead.
        """
        for _ in range(_READS):
            try:
                buffer = os.read(self._descriptor, _BUFFER_BYTES)
            except BlockingIOError:
                return
            at = 0
            while at < len(buffer):
                watch, mask, _cookie, length = _HEAD.unpack_from(buffer, at)
                at += _HEAD.size
                yield Told(watch, mask, os.fsdecode(buffer[at : at + length].rstrip(b"\0")))
                at += length

    def stop(self) -> None:
        """End this wait and all later ones; any thread may call it, until it is closed."""
        os.eventfd_write(self._stop, 1)

    def close(self) -> None:
        """Give it back, with all its watches."""
        os.close(self._descriptor)
        os.close(self._stop)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
