"""Files: their names, places, times and compression."""

from collections.abc import Callable

import zstandard

from .cases_build import (
    ARCHIVED,
    DAY,
    NAME,
    PATH,
    Case,
    case,
    files,
    fill,
    meta,
    rollout,
    turn,
    user,
)

NAMES = "rollouts.md: Files, and the canonical id"
TIMES = "rollouts.md: updated_at, recency_at"
ARCHIVE = "rollouts.md: archived, archived_at"
ZSTD = "rollouts.md: .jsonl.zst"
BOTH = "where both exist the plain one counts"
OWN = "sessions/@id@/"

PATHS: dict[str, str] = {
    "flat": f"sessions/{NAME}",
    "deep": f"sessions/a/b/c/d/e/f/{NAME}",
    "spaces": f"sessions/a b/é/{NAME}",
    "hidden-folder": f"sessions/.hidden/{NAME}",
    "day-differs": f"sessions/1999/12/31/{NAME}",
    "uuid-upper": DAY + "rollout-2026-01-02T03-04-05-@ID@.jsonl",
    "no-time": OWN + "rollout-@id@.jsonl",
    "no-uuid": OWN + "rollout-2026-01-02T03-04-05.jsonl",
    "bad-uuid": OWN + "rollout-2026-01-02T03-04-05-12345.jsonl",
    "bad-time": OWN + "rollout-2026-13-02T03-04-05-@id@.jsonl",
    "time-colons": OWN + "rollout-2026-01-02T03:04:05-@id@.jsonl",
    "time-short": OWN + "rollout-2026-1-2T3-4-5-@id@.jsonl",
    "time-millis": OWN + "rollout-2026-01-02T03-04-05-678-@id@.jsonl",
    "time-zone": OWN + "rollout-2026-01-02T03-04-05Z-@id@.jsonl",
    "time-date-only": OWN + "rollout-2026-01-02-@id@.jsonl",
    "time-old": OWN + "rollout-2019-01-02T03-04-05-@id@.jsonl",
    "time-leap": OWN + "rollout-2026-01-02T03-04-60-@id@.jsonl",
    "suffix": OWN + "rollout-2026-01-02T03-04-05-@id@-copy.jsonl",
    "segment": OWN + "rollout-2026-01-02T03-04-05-@id@_@other@.jsonl",
    "segment-bad": OWN + "rollout-2026-01-02T03-04-05-@id@_1.jsonl",
    "middle": OWN + "rollout-2026-01-02T03-04-05-x-@id@.jsonl",
    "word": OWN + "rollout-anything.jsonl",
    "bare": OWN + "rollout-.jsonl",
    "no-dash": OWN + "rollout.jsonl",
    "prefix": OWN + "my-rollout-2026-01-02T03-04-05-@id@.jsonl",
    "prefix-upper": OWN + "Rollout-2026-01-02T03-04-05-@id@.jsonl",
    "other-suffix": OWN + "rollout-2026-01-02T03-04-05-@id@.json",
    "suffix-upper": OWN + "rollout-2026-01-02T03-04-05-@id@.JSONL",
    "suffix-tmp": OWN + "rollout-2026-01-02T03-04-05-@id@.jsonl.tmp",
    "suffix-gz": OWN + "rollout-2026-01-02T03-04-05-@id@.jsonl.gz",
    "uuid-simple": OWN + "rollout-2026-01-02T03-04-05-@hex@.jsonl",
    "outside": f"other/{NAME}",
    "archived": ARCHIVED,
    "archived-deep": f"archived_sessions/2026/01/{NAME}",
}
BILLION = 1_000_000_000
MTIMES: dict[str, int] = {
    "whole": 1_760_000_001 * BILLION,
    "last-nano": 1_760_000_002 * BILLION + 999_999_999,
    "below-milli": 1_760_000_003 * BILLION + 999_999,
    "zero": 0,
    "negative": -1_500_000_000,
    "before-2020": 1_000_000_000 * BILLION + 123_000_000,
    "2020": 1_577_836_800 * BILLION,
    "2020-before": 1_577_836_799 * BILLION + 999_000_000,
    "2038": 2_147_483_648 * BILLION + 5_000_000,
    "2200": 7_258_118_400 * BILLION + 7_000_000,
}
BODY = rollout(meta(), turn(), user())


def packed(content: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(content)


def streamed(content: bytes) -> bytes:
    """A frame that does not say its size, as a streaming writer makes it."""
    packer = zstandard.ZstdCompressor(write_checksum=True).compressobj()
    return packer.compress(content) + packer.flush()


def two_frames(content: bytes) -> bytes:
    middle = content.index(b"\n") + 30
    return packed(content[:middle]) + packed(content[middle:])


def damaged(content: bytes) -> bytes:
    whole = bytearray(streamed(content + b"".join(b"%d " % n for n in range(50_000))))
    whole[len(whole) // 2] ^= 0xFF
    return bytes(whole)


SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": packed,
    "streamed": streamed,
    "two-frames": two_frames,
    "skippable-first": lambda content: SKIPPABLE + packed(content),
    "skippable-last": lambda content: packed(content) + SKIPPABLE,
    "empty": lambda _: b"",
    "nothing": lambda _: packed(b""),
    "torn": lambda content: streamed(content)[:-3],
    "torn-long": lambda content: streamed(content * 2000)[:-99],
    "torn-second-frame": lambda content: packed(content) + packed(content)[:-9],
    "damaged": damaged,
    "trailing": lambda content: packed(content) + b"garbage",
    "not-zstd": lambda content: content,
    "torn-line": lambda content: packed(content[:-20]),
    "bad-utf8": lambda content: packed(content + b"\xff\n"),
    "bom": lambda content: packed(b"\xef\xbb\xbf" + content),
}


def zst(
    name: str,
    why: str,
    pack: Callable[[bytes], bytes],
    body: bytes = BODY,
    path: str = PATH,
    plain: bytes | None = None,
) -> Case:
    """A compressed rollout, and perhaps the plain one beside it."""
    content = {f"{path}.zst": pack(fill(name, body))}
    return files(name, why, content if plain is None else {**content, path: plain})


CASES: tuple[Case, ...] = (
    *(case(f"path-{name}", NAMES, meta(), user(), path=path) for name, path in PATHS.items()),
    *(
        case(f"headerless-{name}", "id and time from the file name", turn(), user(), path=path)
        for name, path in PATHS.items()
    ),
    *(case(f"mtime-{name}", TIMES, meta(), mtime=mtime) for name, mtime in MTIMES.items()),
    *(
        case(f"mtime-archived-{name}", TIMES, meta(), path=ARCHIVED, mtime=mtime + 10 * BILLION)
        for name, mtime in MTIMES.items()
    ),
    *(zst(f"zst-{name}", ZSTD, pack) for name, pack in PACKERS.items()),
    zst("zst-archived", ZSTD, packed, path=ARCHIVED),
    zst("zst-headerless", ZSTD, packed, rollout(turn(), user())),
    zst("zst-headerless-segment", ZSTD, packed, rollout(turn(), user()), PATHS["segment"]),
    zst("zst-and-plain", BOTH, packed, plain=rollout(meta(), user("plain"))),
    zst("zst-and-empty-plain", BOTH, packed, plain=b""),
)
