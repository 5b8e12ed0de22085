"""A large rollout, read in parts by several readers.

What takes time is to look at every line; to fold is little work, and is all that must be done in
order. So each part is looked through by itself, and says how many lines of which kind it has and
which of them a summary may depend on. `joining` folds those.

A line belongs to the part that its first byte lies in.
"""

import os

from msgspec import Struct

from rolloutd.records import FileStamp, Summary
from rolloutd.rollout.anchors import anchors_at
from rolloutd.rollout.fold import fold, is_said_by_user, new_summary
from rolloutd.rollout.items import Item
from rolloutd.rollout.line_fold import fold_lines
from rolloutd.rollout.lines import LINE_LIMIT_BYTES, LineReader
from rolloutd.rollout.payloads import (
    ItemCompleted,
    ThreadGoal,
    ThreadSettings,
    TokenCount,
    TurnContext,
    UserMessage,
)
from rolloutd.rollout.reading import OPEN_FLAGS
from rolloutd.rollout.sources import PlainSource

PART_BYTES = 16 * 1024 * 1024

# A part whose lines nearly all matter is not worth to be handed on: the file is read as a whole.
KEPT_BYTES = 1024 * 1024

_STEP_BYTES = 64 * 1024


class Part(Struct, frozen=True):
    """A part, numbered from 0, of a file that was of `whole` bytes when it was found.

    Each is of `size` bytes, but the last one goes on to the end, wherever that is by now.
    """

    number: int
    whole: int
    size: int = PART_BYTES

    @property
    def count(self) -> int:
        """How many there are."""
        return max(1, self.whole // self.size)

    @property
    def start(self) -> int:
        """Where it begins, in bytes of the file."""
        return self.number * self.size

    @property
    def end(self) -> int:
        """Where the next one begins."""
        return self.start + self.size

    @property
    def is_last(self) -> bool:
        """Whether none follows."""
        return self.number == self.count - 1


class PartReading(Struct, frozen=True):
    """What a part says.

    Attributes:
        stamp: of the file, before and after.
        summary: of the first part all that it says; of others the counts of lines hold alone.
        kept: lines of other parts that may change a summary, in an order that comes to the same.
        offset: just after the last complete line.
        anchors: those at `offset`, if the part goes on to the end of the file; else "".
        tail: what follows `offset` there; None if it is more than is kept.
        read: bytes read.
    """

    stamp: FileStamp
    summary: Summary
    kept: list[bytes]
    offset: int
    anchors: str = ""
    tail: bytes | None = b""
    read: int = 0


class TooMuch(Exception):
    """So much of a part may change a summary that it cannot be handed on."""


def read_part(
    home: str,
    path: str,
    part: Part,
    *,
    line_limit: int = LINE_LIMIT_BYTES,
    buffer: bytearray | None = None,
) -> PartReading | None:
    """Read one part; None if it cannot be told by itself, and the file is to be read as a whole.

    `buffer` is that of `read_rollout`.
    """
    try:
        descriptor = os.open(f"{home}/{path}", OPEN_FLAGS)
    except OSError:
        return None
    try:
        before = FileStamp.of(os.fstat(descriptor))
        reading = _read(descriptor, path, part, before, line_limit, buffer)
        return reading if FileStamp.of(os.fstat(descriptor)) == before else None
    except (OSError, TooMuch):
        return None
    finally:
        os.close(descriptor)


def _read(
    descriptor: int,
    path: str,
    part: Part,
    stamp: FileStamp,
    line_limit: int,
    buffer: bytearray | None,
) -> PartReading:
    size = stamp.size
    start = _line_start(descriptor, part.start, size)
    end = size if part.is_last else _line_start(descriptor, part.end, size)
    source = PlainSource(descriptor, start, end)
    reader = LineReader(source, offset=start, limit=line_limit, buffer=buffer)
    kept = Kept()
    if part.number == 0:
        summary = new_summary(path)
        fold_lines(reader, summary)
    else:
        summary = Summary()
        fold_lines(reader, summary, kept)
    tail = reader.tail
    if tail is not None and len(tail) > KEPT_BYTES:
        raise TooMuch
    return PartReading(
        stamp,
        summary,
        kept.lines,
        reader.offset,
        anchors_at(descriptor, reader.offset) if end == size else "",
        tail,
        reader.taken,
    )


def _line_start(descriptor: int, at: int, size: int) -> int:
    """Where the first line begins from `at` on; `size` if none does."""
    if at == 0:
        return 0
    at -= 1
    while at < size and (step := os.pread(descriptor, _STEP_BYTES, at)):
        newline = step.find(b"\n")
        if newline >= 0:
            return at + newline + 1
        at += len(step)
    return size


class Kept:
    """Lines that may change a summary, without those that others make up for.

    Whatever the summary was before: folding `lines` comes to the same as folding all of them.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._tokens: list[bytes] = []
        self._bytes = 0
        self._has_turn_cwd = False
        self._turn: int | None = None  # the place of a turn_context that the next one makes up for

    @property
    def lines(self) -> list[bytes]:
        """Those lines."""
        return self._lines + self._tokens

    def fold(self, summary: Summary, item: Item, line: bytes | memoryview) -> None:
        """Fold one into the summary of the part alone, and keep its line if it matters.

        Raises:
            InvalidLine: as `fold` does.
            TooMuch: more than can be kept.
        """
        matters = _may_matter(summary, item)
        fold(summary, item)
        if isinstance(item, TokenCount):
            if item.info is not None:
                self._tokens = [bytes(line)]
        elif isinstance(item, TurnContext):
            self._keep_turn(item, bytes(line))
        elif matters:
            if isinstance(item, ThreadSettings):
                self._turn = None
            self._keep(bytes(line))

    def _keep_turn(self, turn: TurnContext, line: bytes) -> None:
        # Each sets the same, but for the folder, which is that of the first one that names any.
        names_cwd = not self._has_turn_cwd and turn.cwd != ""
        self._has_turn_cwd |= names_cwd
        if self._turn is None or names_cwd:
            self._turn = None if names_cwd else len(self._lines)
            self._keep(line)
        else:
            self._bytes += len(line) - len(self._lines[self._turn])
            self._lines[self._turn] = line

    def _keep(self, line: bytes) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes > KEPT_BYTES:
            raise TooMuch


def _may_matter(summary: Summary, item: Item) -> bool:
    """Whether an item can change any summary to which that of its part was added before."""
    if isinstance(item, UserMessage | ItemCompleted):
        return is_said_by_user(item) and not (summary.is_titled or summary.title)
    if isinstance(item, ThreadGoal):
        return summary.first_user_message is None and not summary.goal
    return True
