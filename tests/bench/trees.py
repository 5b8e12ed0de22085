"""Trees of rollouts to measure on: seeded, made once, kept in a cache folder between runs."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from .conversation import Conversations

VERSION = 2
"""To be raised with every change of what is generated: trees of another version are made anew."""
FIRST_DAY = 1_748_736_000
"""2025-06-01, as seconds of Unix time."""
DAY = 86_400
HEADER = 32_000
"""Bytes that a conversation of 0.130.0 has before the first answer: no natural file is smaller."""
ARCHIVED_EVERY = 20


@dataclass(frozen=True, slots=True)
class Spec:
    """What to generate: `files` rollouts of `bytes` in all, spread by `sigma` (0: all alike)."""

    name: str
    files: int
    bytes: int
    sigma: float
    seed: int = 1

    @property
    def days(self) -> int:
        """Over how many days the conversations are spread."""
        return min(300, max(1, self.files // 4))

    def sizes(self, rng: random.Random) -> list[int]:
        """Return the size wanted of each file, log-normal, of the right sum within a percent."""
        shape = [rng.lognormvariate(0, self.sigma) for _ in range(self.files)]
        floor = min(HEADER, self.bytes // self.files)
        scale = self.bytes / sum(shape)
        for _ in range(20):  # the floor lifts the sum: shrink the rest until it fits
            scale *= self.bytes / sum(max(floor, scale * size) for size in shape)
        return [max(floor, round(scale * size)) for size in shape]


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree on disk: its codex_home, the rollouts and bytes in it."""

    name: str
    home: Path
    files: int
    bytes: int


SPECS = {
    "A": Spec("A", 400, 1_400_000_000, sigma=1.8),
    "B": Spec("B", 10_000, 900_000_000, sigma=1.0),
    "C": Spec("C", 1, 1_000_000_000, sigma=0),
}


def spec(name: str) -> Spec:
    """Return the spec of `A`, `B`, `C`, or of `FILESxBYTES` for that many files of that size.

    Raises ValueError for anything else.
    """
    if name in SPECS:
        return SPECS[name]
    if found := re.fullmatch(r"([1-9]\d{0,6})x([1-9]\d{3,10})", name):
        files, size = map(int, found.groups())
        return Spec(name, files, files * size, sigma=0)
    raise ValueError(f"{name}: neither {', '.join(SPECS)} nor FILESxBYTES, such as 1000x20000")


def cache_folder() -> Path:
    """Return where trees are kept: `$BENCH_DIR_ROLLOUTD`, else a folder in the user's cache."""
    if chosen := os.environ.get("BENCH_DIR_ROLLOUTD"):
        return Path(chosen).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "rolloutd-bench"


def forget() -> int:
    """Remove every tree that is kept; return how many bytes of rollouts that were."""
    freed = 0
    for folder in cache_folder().glob("*"):
        if marker := _marker(folder):
            shutil.rmtree(folder)
            freed += int(str(marker["bytes"]))
    return freed


@contextmanager
def run_folder() -> Iterator[Path]:
    """Give an empty folder on the disk of the trees, for one run; it is removed afterwards."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".run-{os.getpid()}-") as folder:
        yield Path(folder)


def tree(wanted: Spec) -> Tree:
    """Return the tree of this spec; generate it first unless the cache has it.

    Raises OSError if the disk has no room for it.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    _sweep(cache)
    folder = cache / wanted.name
    asked = {"version": VERSION, **asdict(wanted)}
    marker = _marker(folder)
    if marker.get("asked") != asked:
        shutil.rmtree(folder, ignore_errors=True)
        if shutil.disk_usage(cache).free < wanted.bytes * 1.1:
            raise OSError(f"{cache}: no room for the {wanted.bytes / 1e9:.1f} GB of {wanted.name}")
        partial = cache / f".partial-{wanted.name}-{os.getpid()}"
        written = _generate(wanted, partial / "home")
        marker = {"asked": asked, "bytes": written}
        (partial / "tree.json").write_text(json.dumps(marker), encoding="utf-8")
        partial.rename(folder)
    return Tree(wanted.name, folder / "home", wanted.files, int(str(marker["bytes"])))


def _marker(folder: Path) -> dict[str, object]:
    try:
        marker = json.loads((folder / "tree.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return {}
    return marker if isinstance(marker, dict) else {}


def _sweep(cache: Path) -> None:
    """Remove what a bench that was killed has left."""
    for pattern, at in ((".partial-*", -1), (".run-*", 1)):
        for left in cache.glob(pattern):
            if not Path("/proc", left.name.split("-")[at]).exists():
                shutil.rmtree(left, ignore_errors=True)


def _generate(wanted: Spec, home: Path) -> int:
    """Write the rollouts of `wanted` under `home`; return their bytes."""
    rng = random.Random(f"{wanted.name} {wanted.seed}")
    conversations = Conversations(rng)
    spacing = wanted.days * DAY * 1000 // wanted.files
    written = 0
    for index, size in enumerate(wanted.sizes(rng)):
        created = FIRST_DAY * 1000 + index * spacing + rng.randrange(spacing)
        uuid = _uuid7(created, rng)
        day = time.gmtime(created / 1000)
        if index % ARCHIVED_EVERY == ARCHIVED_EVERY - 1:
            folder = home / "archived_sessions"
        else:
            folder = home / time.strftime("sessions/%Y/%m/%d", day)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / time.strftime(f"rollout-%Y-%m-%dT%H-%M-%S-{uuid}.jsonl", day)
        with path.open("xb", buffering=1 << 20) as file:
            ended = conversations.write(file, uuid, created, size)
            written += file.tell()
        os.utime(path, ns=(ended * 1_000_000, ended * 1_000_000))
    return written


def _uuid7(milliseconds: int, rng: random.Random) -> str:
    bits = milliseconds << 80 | 7 << 76 | rng.getrandbits(12) << 64 | 2 << 62 | rng.getrandbits(62)
    digits = f"{bits:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
