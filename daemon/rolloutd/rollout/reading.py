"""One rollout file, from disk to a `Reading`.

The file is looked at before and after: a reading never claims to be of a state of the file that
was not read.
"""

import os
from collections.abc import Callable

from rolloutd.records import Cursor, FileStamp, Known, Reading, Summary
from rolloutd.rollout.anchors import anchors_at
from rolloutd.rollout.fold import new_summary
from rolloutd.rollout.irregular import describe_irregular
from rolloutd.rollout.line_fold import copy_of, fold_lines, fold_tail
from rolloutd.rollout.lines import BUFFER_BYTES, LINE_LIMIT_BYTES, ByteSource, LineReader
from rolloutd.rollout.names import encoding_of, is_archived
from rolloutd.rollout.sources import CompressedError, PlainSource

# Regular files only, and never waiting for one: a FIFO must not block us.
OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

_RETRIES = 2


def read_rollout(
    home: str,
    path: str,
    known: Known | None = None,
    *,
    limit: int | None = None,
    line_limit: int = LINE_LIMIT_BYTES,
    on_bytes: Callable[[int], None] | None = None,
    buffer: bytearray | None = None,
) -> Reading:
    """Read the rollout at watermark `path`, going on from `known` where that still fits.

    `known.summary` must be the one at `known.cursor`. With a `limit`, a plain file is read as if
    it ended after so many bytes: as it was before it grew. `on_bytes` is called with how many
    bytes have been taken since the last call, every now and then. `buffer`, of `BUFFER_BYTES`, is
    for whoever reads many files: making one for each takes a while.

    Raises:
        FileNotFoundError: there is no such file (any more).
    """
    try:
        descriptor = os.open(f"{home}/{path}", OPEN_FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        irregular = _irregular(f"{home}/{path}")
        return _failed(path, irregular or str(error.strerror), closed=irregular is None)
    try:
        return _Reading(descriptor, path, limit, line_limit, on_bytes, buffer).settled(known)
    except OSError as error:
        # Without a cursor, so that it is tried again though the file may not change.
        return _failed(path, f"reading: {error.strerror}", closed=True)
    finally:
        os.close(descriptor)


def _irregular(full: str) -> str | None:
    try:
        return describe_irregular(os.lstat(full).st_mode)
    except OSError:
        return None


def _failed(path: str, why: str, *, closed: bool) -> Reading:
    return Reading(path, is_archived(path), encoding_of(path), error=why, closed=closed)


class _Reading:
    def __init__(
        self,
        descriptor: int,
        path: str,
        limit: int | None,
        line_limit: int,
        on_bytes: Callable[[int], None] | None,
        buffer: bytearray | None,
    ) -> None:
        self._descriptor = descriptor
        self._path = path
        self._archived = is_archived(path)
        self._encoding = encoding_of(path)
        self._limit = limit
        self._line_limit = line_limit
        self._on_bytes = on_bytes
        self._buffer = buffer
        self._anchors = ""

    def settled(self, known: Known | None) -> Reading:
        """Read until the file held still, or only grew, meanwhile."""
        before = os.fstat(self._descriptor)
        irregular = describe_irregular(before.st_mode)
        if irregular is not None:
            return _failed(self._path, irregular, closed=False)
        reading = self._once(before, known)
        for _ in range(_RETRIES):
            after = os.fstat(self._descriptor)
            if not self._was_rewritten(before, after):
                break
            # What was read may be of two states.
            before = after
            reading = self._once(before, None)
        return reading

    def _was_rewritten(self, before: os.stat_result, after: os.stat_result) -> bool:
        times = (before.st_mtime_ns, before.st_ctime_ns)
        if times == (after.st_mtime_ns, after.st_ctime_ns):
            return False
        # An append changes the times too, but nothing of what was there.
        return (
            after.st_size <= before.st_size
            or anchors_at(self._descriptor, self._size(before)) != self._anchors
        )

    def _size(self, status: os.stat_result) -> int:
        return status.st_size if self._limit is None else min(status.st_size, self._limit)

    def _once(self, status: os.stat_result, known: Known | None) -> Reading:
        start, summary = 0, new_summary(self._path)
        size = self._size(status)
        if known is not None and self._goes_on(status, known.cursor):
            start = known.cursor.offset
            # A copy: what was given is left as it was.
            summary = copy_of(known.summary)
        error = resume = None
        source = source_of(self._descriptor, self._encoding, size, start)
        in_one_go = isinstance(source, PlainSource) and start == 0 < size < BUFFER_BYTES
        # Never of a later state than what is folded: they come with it, or before.
        self._anchors = "" if in_one_go else anchors_at(self._descriptor, size)
        reader = self._reader(source, size, start)
        try:
            fold_lines(reader, summary)
            resume = fold_tail(reader.tail, summary)
        except CompressedError as broken:
            error = str(broken)
        if isinstance(source, PlainSource) and source.anchors is not None:
            self._anchors = source.anchors
        # Offsets count bytes of the file: a compressed one is read as a whole or not at all.
        offset = reader.offset if self._encoding == "plain" else size
        is_anchored = offset == size and self._anchors != ""
        cursor = Cursor(
            stamp=FileStamp.of(status),
            offset=offset,
            anchors=self._anchors if is_anchored else anchors_at(self._descriptor, offset),
        )
        return Reading(
            self._path,
            self._archived,
            self._encoding,
            cursor,
            summary,
            resume,
            error or why_no_thread(summary),
            read=reader.taken,
        )

    def _reader(self, source: ByteSource, size: int, start: int) -> LineReader:
        buffer_bytes = BUFFER_BYTES
        if self._encoding == "plain":
            # Most rollouts, and nearly all that is appended, is less than a buffer: making a
            # large one took longer than reading. One byte more, so that it is never full.
            buffer_bytes = min(buffer_bytes, size - start + 1)
        if self._on_bytes is not None:
            source = _Reported(source, self._on_bytes)
        return LineReader(
            source,
            offset=start,
            limit=self._line_limit,
            buffer_bytes=buffer_bytes,
            buffer=self._buffer,
        )

    def _goes_on(self, status: os.stat_result, cursor: Cursor) -> bool:
        # Anchors cannot tell a rewritten middle. Without growth only an untouched file is trusted.
        stamp, before = FileStamp.of(status), cursor.stamp
        return (
            self._encoding == "plain"
            and (stamp.device, stamp.inode) == (before.device, before.inode)
            and (stamp.size > before.size or stamp == before)
            and anchors_at(self._descriptor, cursor.offset) == cursor.anchors
        )


def source_of(descriptor: int, encoding: str, size: int, start: int = 0) -> ByteSource:
    """The bytes of an open rollout of this size; a compressed one is always read as a whole."""
    if encoding == "plain":
        return PlainSource(descriptor, start, size)
    from rolloutd.rollout.zstd_source import ZstdSource

    return ZstdSource(descriptor, size)


def why_no_thread(summary: Summary) -> str | None:
    """Why a file with this summary has no thread; None if it has one."""
    if summary.items == 0:
        return "no valid line" if summary.parse_errors else "empty"
    if summary.thread_id is None:
        return "neither a session_meta nor the file name tells the thread"
    return None


class _Reported:
    """A source that tells how many bytes went through."""

    _STEP_BYTES = 32 * 1024 * 1024

    def __init__(self, source: ByteSource, on_bytes: Callable[[int], None]) -> None:
        self._source = source
        self._on_bytes = on_bytes
        self._untold = 0

    def readinto(self, buffer: memoryview, /) -> int:
        """As the source itself."""
        got = self._source.readinto(buffer)
        self._untold += got
        if self._untold >= self._STEP_BYTES:
            self._on_bytes(self._untold)
            self._untold = 0
        return got
