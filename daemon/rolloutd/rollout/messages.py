"""What the backfill and its reader processes say to each other: msgpack, each length first."""

import os
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from rolloutd.records import Known, Reading
from rolloutd.rollout.parts import Part, PartReading

_LENGTH_BYTES = 4


class Assignment(Struct, frozen=True):
    """The first that a reader is told: whose rollouts it reads, and how long a line may be."""

    home: str
    line_limit: int


class Job(Struct, frozen=True):
    """Read this rollout of about `size` bytes; go on from `known` if it still fits.

    With a `limit`, it is read as if it ended after so many bytes; with a `part`, no more than that.
    """

    path: str
    size: int = 0
    known: Known | None = None
    limit: int | None = None
    part: Part | None = None

    @property
    def whole(self) -> "Job":
        """The job that this is a part of; itself if it is none."""
        return self if self.part is None else Job(self.path, self.part.whole)


class Told(Struct, frozen=True):
    """From a reader: bytes taken since it spoke last, and the job's result when it is done.

    `hello` is the first that it says; `gone` means that the file was not there, `unjoinable` that
    the part asked for cannot be told by itself.
    """

    hello: bool = False
    taken: int = 0
    gone: bool = False
    reading: Reading | None = None
    unjoinable: bool = False
    part: PartReading | None = None

    @property
    def is_result(self) -> bool:
        """Whether this ends a job."""
        is_read = self.reading is not None or self.part is not None
        return is_read or self.gone or self.unjoinable


_encode = msgspec.msgpack.Encoder().encode
decode_assignment = msgspec.msgpack.Decoder(Assignment).decode
decode_job = msgspec.msgpack.Decoder(Job).decode
decode_told = msgspec.msgpack.Decoder(Told).decode


def framed(message: Assignment | Job | Told) -> bytes:
    """The bytes to write for one message."""
    body = _encode(message)
    return len(body).to_bytes(_LENGTH_BYTES) + body


class Frames:
    """Cuts what comes out of a pipe into messages."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are whole once `data` has come."""
        self._pending += data
        start = 0
        while len(self._pending) - start >= _LENGTH_BYTES:
            body = start + _LENGTH_BYTES
            end = body + int.from_bytes(self._pending[start:body])
            if end > len(self._pending):
                break
            yield bytes(self._pending[body:end])
            start = end
        del self._pending[:start]


def read_some(descriptor: int) -> bytes:
    """What a pipe holds now, at least one byte; empty at its end."""
    return os.read(descriptor, 1 << 18)
