"""A rollout at a glance: what can be told of it without reading it, for comparing with its row."""

import os

from msgspec import Struct

from rolloutd.records import FileStamp, Summary
from rolloutd.rollout.anchors import anchors_at
from rolloutd.rollout.fold import new_summary
from rolloutd.rollout.line_fold import fold_lines, fold_tail
from rolloutd.rollout.lines import ByteSource, LineReader
from rolloutd.rollout.names import encoding_of
from rolloutd.rollout.reading import OPEN_FLAGS
from rolloutd.rollout.sources import CompressedError, PlainSource, ZstdSource

# The session_meta is the first line, and holds the model's instructions: some tens of KiB. After
# the last of these sizes it is not looked for any more.
_HEADS = (32 * 1024, 1024 * 1024, 16 * 1024 * 1024)


class Glance(Struct, frozen=True):
    """A file now; `thread_id` is its record's, None if that was not asked for, or not found."""

    stamp: FileStamp
    anchors: str
    thread_id: str | None


def glance(home: str, path: str, offset: int, *, wants_thread: bool) -> Glance:
    """Look at the rollout at watermark `path`, with the anchors at `offset`.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    descriptor = os.open(f"{home}/{path}", OPEN_FLAGS)
    try:
        status = os.fstat(descriptor)
        thread_id = _recorded_thread(descriptor, path, status.st_size) if wants_thread else None
        return Glance(FileStamp.of(status), anchors_at(descriptor, offset), thread_id)
    finally:
        os.close(descriptor)


def _recorded_thread(descriptor: int, path: str, size: int) -> str | None:
    """The thread that a rollout holds, by its first session_meta; its name is not enough."""
    for head in _HEADS:
        summary, is_whole = _begin(descriptor, path, size, head)
        if summary.identified or is_whole:
            return summary.thread_id
    return None


def _begin(descriptor: int, path: str, size: int, head: int) -> tuple[Summary, bool]:
    """The summary of the file's first bytes, and whether these are all there are."""
    is_plain = encoding_of(path) == "plain"
    source = PlainSource(descriptor, 0, size) if is_plain else ZstdSource(descriptor, size)
    first = _First(source, head)
    summary = new_summary(path)
    reader = LineReader(first)
    try:
        fold_lines(reader, summary)
    except CompressedError:
        return summary, True
    if not first.is_cut:
        fold_tail(reader, summary)
    return summary, not first.is_cut


class _First:
    """The first bytes of a source; `is_cut` once there might be more."""

    def __init__(self, source: ByteSource, size: int) -> None:
        self.is_cut = False
        self._source = source
        self._left = size

    def readinto(self, buffer: memoryview, /) -> int:
        """As the source itself, up to the size."""
        self.is_cut = self._left == 0
        if self.is_cut:
            return 0
        got = self._source.readinto(buffer[: self._left])
        self._left -= got
        return got
