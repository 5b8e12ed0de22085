"""Names and watermarks of rollouts.

`rollout-YYYY-MM-DDThh-mm-ss-<uuid>.jsonl[.zst]`, or with a segment's id after the thread's:
`...-<thread uuid>_<segment uuid>.jsonl`. Source: rollouts.md, "Files".
"""

import os
import re

from rolloutd.rollout.timestamps import parse_timestamp

ARCHIVE = "archived_sessions"
ROOTS = ("sessions", ARCHIVE)

_HYPHENATED = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_UUID = re.compile(rf"{_HYPHENATED}|[0-9a-fA-F]{{32}}|\{{{_HYPHENATED}\}}|urn:uuid:{_HYPHENATED}")
_NAME = re.compile(
    r"rollout-(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-[0-5]\d)"
    rf"-(?P<id>{_HYPHENATED}|[0-9a-fA-F]{{32}})(?:_(?P<segment>{_HYPHENATED}))?\.jsonl(?:\.zst)?",
    re.ASCII,
)


def is_rollout_name(name: str) -> bool:
    """Whether a file of this name is to be read as a rollout."""
    return name.startswith("rollout-") and name.endswith((".jsonl", ".jsonl.zst"))


def parse_thread_id(text: str) -> str | None:
    """The UUID in any of the spellings Codex takes, lower case with hyphens; else None."""
    if not _UUID.fullmatch(text):
        return None
    digits = text.removeprefix("urn:uuid:").strip("{}").replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def identity_from_name(watermark: str) -> tuple[str, int] | None:
    """Thread id and creation time (milliseconds since the epoch, UTC) that a file name tells."""
    match = _NAME.fullmatch(watermark.rpartition("/")[2])
    if match is None:
        return None
    thread_id = parse_thread_id(match["id"])
    created_at_ms = parse_timestamp(match["time"])
    if thread_id is None or created_at_ms is None:
        return None
    return thread_id, created_at_ms


def segment_of(watermark: str) -> str | None:
    """The id of the segment that a file name tells; None for a file that continues none."""
    match = _NAME.fullmatch(watermark.rpartition("/")[2])
    return match["segment"].lower() if match is not None and match["segment"] else None


def encoding_of(watermark: str) -> str:
    """`zstd` or `plain`, by the name's ending."""
    return "zstd" if watermark.endswith(".zst") else "plain"


def is_archived(watermark: str) -> bool:
    """Whether the file lies under `archived_sessions/`."""
    return watermark.startswith("archived_sessions/")


def watermark_text(relative: str) -> str:
    """The text that stands for a path in the database.

    SQLite's text is UTF-8; the bytes of a name that are not are written as U+FFFD and their
    hexadecimal value, so that two such names stay apart.
    """
    try:
        relative.encode()
    except UnicodeEncodeError:
        return "".join(
            f"\N{REPLACEMENT CHARACTER}{ord(c) - 0xDC00:02x}" if 0xDC80 <= ord(c) <= 0xDCFF else c
            for c in relative
        )
    return relative


def order_of(watermark: str) -> bytes:
    """Sort key: watermarks are processed in the order of their bytes."""
    return os.fsencode(watermark)


def elsewhere(watermark: str) -> tuple[str, ...]:
    """Where Codex would have moved a file to in archiving it, or in taking it out again."""
    root, name = watermark.split("/", 1)[0], watermark.rpartition("/")[2]
    match = _NAME.fullmatch(name)
    if root == "sessions":
        return (f"archived_sessions/{name}",)
    if match is None:
        return ()
    year, month, day = match["time"][:10].split("-")
    return (f"sessions/{year}/{month}/{day}/{name}",)
