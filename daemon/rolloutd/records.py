"""The plain records that the rollout format and the database exchange.

`rolloutd.rollout` and `rolloutd.state` never import each other; both know these.
"""

import os
import struct
from typing import NamedTuple

from msgspec import Struct, field

# Raised whenever the fold would make another summary of the same bytes. Rows of an older
# parser are folded again from the start.
PARSER_VERSION = 1


class DynamicTool(Struct, frozen=True, omit_defaults=True):
    """One entry of a session_meta's `dynamic_tools`; `input_schema` is compact JSON."""

    name: str
    description: str
    input_schema: str
    defer_loading: bool = False
    namespace: str | None = None


class Summary(Struct, omit_defaults=True):
    """What the lines of one file say about its thread, folded so far.

    Serialisable, and all that the fold needs in order to go on later: the summary stored at a
    cursor plus the lines after it equal a fold from the start. `None` means "not said (yet)";
    defaults are filled in by the merge, since some depend on settings.
    """

    # Identity: the file name's until the first session_meta has spoken.
    thread_id: str | None = None
    created_at_ms: int | None = None
    identified: bool = False
    legacy: bool = False

    source: str = "vscode"
    thread_source: str | None = None
    originator: str | None = None
    history_mode: str = "legacy"
    cli_version: str = ""
    model_provider: str | None = None
    agent_nickname: str | None = None
    agent_role: str | None = None
    agent_path: str | None = None
    parent_thread_id: str | None = None
    memory_mode: str | None = None
    cwd: str = ""
    turn_cwd: str = ""
    git_sha: str | None = None
    git_branch: str | None = None
    git_origin_url: str | None = None
    dynamic_tools: list[DynamicTool] = field(default_factory=list)

    model: str | None = None
    reasoning_effort: str | None = None
    sandbox_policy: str | None = None
    approval_mode: str | None = None

    tokens_used: int | None = None
    # The first message is most of a summary, so it is kept once. `title` is there only where
    # that message has no words of its own, `goal` only where one came before it.
    first_user_message: str | None = None
    is_titled: bool = False
    title: str = ""
    renamed: str = ""
    name: str | None = None
    goal: str = ""
    has_user_event: bool = False

    items: int = 0
    lines: int = 0
    # Lines that were skipped, by reason (see `rollout.items.LineError`).
    parse_errors: dict[str, int] = field(default_factory=dict)


class FileStamp(NamedTuple):
    """The state of a file by its stat, in numbers that SQLite can hold (64 bits, signed)."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileStamp":
        """Of a stat; a time beyond the years 1678 to 2262 is the nearest that fits."""
        stamp = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        device, inode, size, mtime_ns, ctime_ns = stamp
        # For every file at every look, and nearly never anything else than what was given.
        if (device | inode | size | mtime_ns | ctime_ns) >> 63:
            stamp = _signed(device), _signed(inode), size, _nearest(mtime_ns), _nearest(ctime_ns)
        return tuple.__new__(cls, stamp)

    def packed(self) -> bytes:
        """The same in a third of the room; for those who hold many."""
        return pack_stamp(*self)

    @classmethod
    def unpacked(cls, packed: bytes) -> "FileStamp":
        """What was packed."""
        return cls(*_PACKED_STAMP.unpack(packed))

    @staticmethod
    def packed_size(packed: bytes) -> int:
        """The size alone of what was packed."""
        size: int = _PACKED_STAMP.unpack(packed)[2]
        return size


_PACKED_STAMP = struct.Struct("=5q")
pack_stamp = _PACKED_STAMP.pack


def _signed(number: int) -> int:
    # Some file systems use all 64 bits of an inode's number.
    return number - 2**64 if number >= 2**63 else number


def _nearest(nanoseconds: int) -> int:
    if -(2**63) <= nanoseconds < 2**63:
        return nanoseconds
    return -(2**63) if nanoseconds < 0 else 2**63 - 1


class Cursor(Struct, frozen=True):
    """How far a file was read, and how to tell that it is still the same file.

    `offset` counts bytes of the file as it lies on disk. `anchors` are digests of the first
    bytes and of those just before `offset` (see `rollout.anchors`).
    """

    stamp: FileStamp
    offset: int
    anchors: str


class Known(Struct, frozen=True):
    """What is known of a file from before: where reading stopped, and the summary up to there."""

    cursor: Cursor
    summary: Summary


class Reading(Struct, frozen=True):
    """One rollout file, read: a row of `rollouts` to be.

    Attributes:
        path: the watermark, relative to the home, with '/'.
        encoding: `plain` or `zstd`.
        cursor: None if the file could not even be opened.
        summary: everything read, an unfinished last line that parses included.
        resume: the summary at `cursor.offset`, where that differs from `summary`.
        error: why there is no thread in this file; None if there is one.
        closed: it could not be read now, so nothing is known of what is in it.
        read: bytes read to get here.
    """

    path: str
    archived: bool
    encoding: str
    cursor: Cursor | None = None
    summary: Summary = field(default_factory=Summary)
    resume: Summary | None = None
    error: str | None = None
    closed: bool = False
    read: int = 0

    @property
    def weight(self) -> int:
        """About how many characters of other people's text this holds."""
        summary = self.summary
        texts = (summary.first_user_message or "", summary.title, summary.goal, summary.renamed)
        tools = sum(
            len(tool.description) + len(tool.input_schema) for tool in summary.dynamic_tools
        )
        return sum(map(len, texts)) + tools


class FileSummary(Struct, frozen=True):
    """What one file adds to its thread."""

    path: str
    archived: bool
    mtime_ns: int
    summary: Summary


class ThreadRecord(Struct, frozen=True):
    """A row of `threads`, and what hangs on it. Times are seconds, or milliseconds if `_ms`."""

    id: str
    rollout_path: str
    created_at: int
    created_at_ms: int
    updated_at: int
    updated_at_ms: int
    recency_at: int
    recency_at_ms: int
    source: str
    source_class: str
    thread_source: str | None
    originator: str | None
    history_mode: str
    model_provider: str
    cli_version: str
    agent_nickname: str | None
    agent_role: str | None
    agent_path: str | None
    memory_mode: str
    cwd: str
    git_sha: str | None
    git_branch: str | None
    git_origin_url: str | None
    model: str | None
    reasoning_effort: str | None
    sandbox_policy: str
    approval_mode: str
    tokens_used: int
    first_user_message: str
    title: str
    name: str | None
    preview: str
    has_user_event: bool
    archived: bool
    archived_at: int | None
    dynamic_tools: tuple[DynamicTool, ...] = ()
    parent_thread_id: str | None = None
