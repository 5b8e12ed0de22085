"""Mutated rollouts before the reader: whatever is in a file, it is read, and read alike.

For each file: no error passes; what is read survives its journey to the database; reading in two
goes, cut anywhere, says what reading in one go says, and so do parts read by several readers, where
they can. Then all of them are indexed, in batches.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
import zstandard

from rolloutd.indexer import Indexer
from rolloutd.records import Known, Reading
from rolloutd.rollout.reading import read_rollout
from rolloutd.state.database import StateDatabase
from tests.rollouts import read_in_parts
from tests.running import watermark
from tests.torture.mutation import Mutator

_BATCH = 500
_PACKED = 0.05
# Not compared: of the file at hand, and of how it was read, rather than of what it says.
_OF_THE_READING = ("cursor", "read")


class Readers:
    """Reads mutated rollouts under one home, and indexes them."""

    def __init__(self, root: Path, rng: random.Random, corpus: Sequence[bytes]) -> None:
        self._home = root / "home"
        self._database = root / "state" / "state.sqlite"
        self._rng = rng
        self._mutator = Mutator(rng, corpus)

    def run(self, files: int) -> None:
        """Read so many files; AssertionError, or whatever passed, with the file left in place."""
        indexer = Indexer(str(self._home), "openai")
        with StateDatabase.open_writer(self._database) as database:
            for start in range(0, files, _BATCH):
                batch = [self._read(number) for number in range(min(_BATCH, files - start))]
                with database.transaction() as connection:
                    indexer.store(connection, batch)

    def _read(self, number: int) -> Reading:
        content = self._mutator.rollout()
        if self._rng.random() < _PACKED:
            return self._read_packed(number, content)
        path = watermark(number)
        file = self._home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        cut = self._rng.randrange(len(content) + 1)
        file.write_bytes(content[:cut])
        first = travelled(read_rollout(str(self._home), path))
        with file.open("ab") as stream:
            stream.write(content[cut:])
        whole = travelled(read_rollout(str(self._home), path))
        known = known_of(first)
        in_two = travelled(read_rollout(str(self._home), path, known))
        assert said(in_two) == said(whole), f"cut at {cut}: {file}"
        size = self._rng.randrange(len(content) + 1) + 1
        joined = read_in_parts(self._home, path, size, self._rng)
        if joined is not None:
            assert said(joined) == said(whole), f"in parts of {size}: {file}"
        return whole

    def _read_packed(self, number: int, content: bytes) -> Reading:
        path = watermark(number, ending=".jsonl.zst")
        file = self._home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        packed = bytearray(zstandard.ZstdCompressor().compress(content))
        if self._rng.random() < 0.5:
            packed[self._rng.randrange(len(packed))] ^= 1 << self._rng.randrange(8)
        file.write_bytes(packed)
        return travelled(read_rollout(str(self._home), path))


def travelled(reading: Reading) -> Reading:
    """After the journey from the reader process."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(reading), type=Reading)


def known_of(reading: Reading) -> Known | None:
    """What the database gives back of a reading."""
    if reading.cursor is None:
        return None
    known = Known(reading.cursor, reading.summary if reading.resume is None else reading.resume)
    return msgspec.json.decode(msgspec.json.encode(known), type=Known)


def said(reading: Reading) -> dict[str, object]:
    """What a reading says of the file's content."""
    told = msgspec.to_builtins(reading)
    assert isinstance(told, dict)
    assert reading.cursor is None or reading.cursor.offset <= reading.cursor.stamp.size
    return {key: value for key, value in told.items() if key not in _OF_THE_READING}
