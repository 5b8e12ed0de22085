"""A rollout at a glance: what can be told of it without reading it, for comparing with its row."""

import os

from msgspec import Struct

from rolloutd.records import FileStamp
from rolloutd.rollout.anchors import anchors_at
from rolloutd.rollout.identity import head_of
from rolloutd.rollout.reading import OPEN_FLAGS

# The session_meta is the first line, and holds the model's instructions: some tens of KiB. After
# so much it is not looked for any more.
_HEAD_BYTES = 16 * 1024 * 1024


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
        thread_id = _recorded_thread(descriptor, path) if wants_thread else None
        return Glance(FileStamp.of(status), anchors_at(descriptor, offset), thread_id)
    finally:
        os.close(descriptor)


def _recorded_thread(descriptor: int, path: str) -> str | None:
    head = head_of(descriptor, path, _HEAD_BYTES)
    return None if head.is_cut else head.summary.thread_id
