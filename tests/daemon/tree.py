"""What may happen to a tree of rollouts, as plain steps that a property test can draw."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import zstandard

from tests.daemon.living import append
from tests.oracle.cases_build import meta, tokens, user
from tests.running import Place, thread_id, watermark

# Few threads, so that steps meet on the same ones; on two days.
NUMBERS = (0, 1, 2, 360, 361)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens; `amount` is whatever its kind makes of it."""

    kind: str
    number: int
    amount: int


class Tree:
    """Applies steps to a home; one that does not fit there does nothing."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._away = place.root / "away"

    @property
    def kinds(self) -> dict[str, Callable[[int, int], None]]:
        return {
            "create": self._create,
            "append": self._append,
            "tear": self._tear,
            "many": self._many,
            "rewrite": self._rewrite,
            "truncate": self._truncate,
            "archive": self._archive,
            "unarchive": self._unarchive,
            "compress": self._compress,
            "decompress": self._decompress,
            "delete": self._delete,
            "duplicate": self._duplicate,
            "age": self._age,
            "name": self._name,
            "remove_day": self._remove_day,
            "remove_root": self._remove_root,
            "root_goes": self._root_goes,
            "root_comes": self._root_comes,
        }

    def apply(self, step: Step) -> None:
        with suppress(FileNotFoundError, NotADirectoryError):
            self.kinds[step.kind](step.number, step.amount)

    def settle(self) -> None:
        """Bring back what is away: then a fresh backfill can be asked."""
        self._root_comes(0, 0)
        (self._place.home / "sessions").mkdir(exist_ok=True)
        (self._place.home / "archived_sessions").mkdir(exist_ok=True)

    def _path(self, number: int) -> Path:
        return self._place.home / watermark(number)

    def _archived(self, number: int) -> Path:
        return self._place.home / watermark(number, root="archived_sessions")

    def _packed(self, number: int) -> Path:
        return self._place.home / watermark(number, ending=".jsonl.zst")

    def _create(self, number: int, amount: int) -> None:
        if not self._is_away():
            self._place.thread(number, meta(), user(f"prompt {amount}"), tokens(amount))

    def _append(self, number: int, amount: int) -> None:
        with self._path(number).open("rb"):
            append(self._path(number), tokens(amount), user("more " * amount))

    def _tear(self, number: int, amount: int) -> None:
        whole = tokens(amount)
        with self._path(number).open("r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(whole[: len(whole) - amount % len(whole)])

    def _many(self, number: int, amount: int) -> None:
        with self._path(number).open("rb"):
            for each in range(amount):
                append(self._path(number), tokens(each))

    def _rewrite(self, number: int, amount: int) -> None:
        status = self._path(number).stat()
        content = self._path(number).read_bytes().replace(b"prompt", b"PROMPT"[: amount % 7])
        self._path(number).write_bytes(content)
        os.utime(self._path(number), ns=(status.st_atime_ns, status.st_mtime_ns))

    def _truncate(self, number: int, amount: int) -> None:
        os.truncate(self._path(number), self._path(number).stat().st_size * amount // 100)

    def _archive(self, number: int, _amount: int) -> None:
        self._archived(number).parent.mkdir(exist_ok=True)
        self._path(number).rename(self._archived(number))

    def _unarchive(self, number: int, _amount: int) -> None:
        self._archived(number).rename(self._path(number))

    def _compress(self, number: int, _amount: int) -> None:
        packed = zstandard.ZstdCompressor().compress(self._path(number).read_bytes())
        self._packed(number).write_bytes(packed)
        self._path(number).unlink()

    def _decompress(self, number: int, _amount: int) -> None:
        packed = self._packed(number).read_bytes()
        self._path(number).write_bytes(zstandard.ZstdDecompressor().decompress(packed))
        self._packed(number).unlink()

    def _delete(self, number: int, amount: int) -> None:
        (self._archived(number) if amount % 3 == 0 else self._path(number)).unlink()

    def _duplicate(self, number: int, amount: int) -> None:
        target = self._path(number).with_name(f"rollout-{amount:03}.jsonl")
        shutil.copy(self._path(number), target)

    def _age(self, number: int, amount: int) -> None:
        os.utime(self._path(number), (amount, amount))

    def _name(self, number: int, amount: int) -> None:
        with (self._place.home / "session_index.jsonl").open("a") as file:
            file.write(f'{{"id":"{thread_id(number)}","thread_name":"name {amount}"}}\n')

    def _remove_day(self, number: int, _amount: int) -> None:
        shutil.rmtree(self._path(number).parent)

    def _remove_root(self, _number: int, _amount: int) -> None:
        shutil.rmtree(self._place.home / "sessions")

    def _is_away(self) -> bool:
        return self._away.exists()

    def _root_goes(self, _number: int, _amount: int) -> None:
        if not self._is_away():
            (self._place.home / "sessions").rename(self._away)

    def _root_comes(self, _number: int, _amount: int) -> None:
        if self._is_away():
            shutil.rmtree(self._place.home / "sessions", ignore_errors=True)
            self._away.rename(self._place.home / "sessions")
