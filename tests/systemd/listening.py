"""A service manager's end of the notify socket."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

Message: TypeAlias = dict[str, str]


class Manager:
    """Listens at `address`; `heard` holds all messages so far, each as it was assigned."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.heard: list[Message] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address[0] == "@" else address)

    def listen(self, seconds: float = 0.0) -> list[Message]:
        """What has come by now, or comes within that time."""
        new: list[Message] = []
        while select.select([self.socket], [], [], 0 if new else seconds)[0]:
            lines = self.socket.recv(65536).decode().splitlines()
            new.append(dict(line.split("=", 1) for line in lines))
        self.heard += new
        return new

    def said(self, name: str) -> list[str]:
        """All that was assigned to a name, in order."""
        self.listen()
        return [message[name] for message in self.heard if name in message]


@contextmanager
def listening(address: Path | str) -> Iterator[Manager]:
    """A manager; its socket is closed at the end."""
    manager = Manager(str(address))
    with manager.socket:
        yield manager
