"""The protocol of sd_notify(3): datagrams to the service manager that started us."""

import os
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Self

# A manager that does not listen must not hold up the work.
_PATIENCE_SECONDS = 1.0


class Notifier:
    """Speaks to the service manager, if there is one.

    Attributes:
        watchdog: seconds within which the manager wants to hear `WATCHDOG=1`; None if it does not.
    """

    def __init__(self, address: str | None, watchdog: float | None = None) -> None:
        """`address` is a path, or an abstract name after `@`; None, or another kind, is nobody."""
        self.watchdog = watchdog
        self._socket: socket.socket | None = None
        if address is not None and address.startswith(("/", "@")):
            self._address = "\0" + address[1:] if address[0] == "@" else address
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.settimeout(_PATIENCE_SECONDS)

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Self:
        """As `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` say."""
        watchdog = None
        if variables.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()):
            microseconds = variables.get("WATCHDOG_USEC", "")
            watchdog = int(microseconds) / 1e6 if microseconds.isdecimal() else None
        return cls(variables.get("NOTIFY_SOCKET"), watchdog or None)

    @property
    def has_listener(self) -> bool:
        """Whether anybody is told anything."""
        return self._socket is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._socket is not None:
            self._socket.close()

    def tell(self, **assignments: str | int) -> bool:
        """Send these in one datagram; whether it was taken. Line ends become spaces."""
        if self._socket is None:
            return True
        lines = (f"{name}={' '.join(str(each).split())}" for name, each in assignments.items())
        try:
            self._socket.sendto("\n".join(lines).encode(errors="replace"), self._address)
        except OSError:
            return False  # The manager is being started anew, or gone.
        return True
