"""Steps that change the content of rollouts, or put further ones beside them."""

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import zstandard

from tests.daemon.living import append
from tests.oracle.cases_build import meta, named, tokens, user
from tests.running import Place, thread_id, watermark


class FileSteps:
    """Each takes the number of a thread, and an amount."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @property
    def kinds(self) -> dict[str, Callable[[int, int], None]]:
        return {
            "create": self._create,
            "append": self._append,
            "tear": self._tear,
            "many": self._many,
            "rewrite": self._rewrite,
            "replace": self._replace,
            "truncate": self._truncate,
            "sync": self._sync,
            "compress": self._compress,
            "decompress": self._decompress,
            "twin": self._twin,
            "delete": self._delete,
            "duplicate": self._duplicate,
            "segment": self._segment,
            "age": self._age,
            "link": self._link,
            "folder": self._folder,
            "foreign": self._foreign,
        }

    def _path(self, number: int) -> Path:
        return self._place.home / watermark(number)

    def _archived(self, number: int) -> Path:
        return self._place.home / watermark(number, root="archived_sessions")

    def _packed(self, number: int) -> Path:
        return self._place.home / watermark(number, ending=".jsonl.zst")

    def _create(self, number: int, amount: int) -> None:
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

    def _replace(self, number: int, amount: int) -> None:
        """By another file of the same size, put in its place at once."""
        content = self._path(number).read_bytes().replace(b"prompt", b"prompt"[::-1])
        self._put(self._path(number), content, amount)

    def _truncate(self, number: int, amount: int) -> None:
        os.truncate(self._path(number), self._path(number).stat().st_size * amount // 100)

    def _sync(self, number: int, amount: int) -> None:
        """From elsewhere, as rsync brings it: a new file of long ago in the place of the old."""
        lines = (meta(), user(f"synced {amount}"), named(f"name {amount}"), tokens(amount))
        content = b"".join(line + b"\n" for line in lines)
        own = content.replace(b"@id@", thread_id(number).encode())
        self._put(self._path(number), own, amount)

    def _put(self, path: Path, content: bytes, mtime: int) -> None:
        new = path.with_name("." + path.name)
        new.write_bytes(content)
        os.utime(new, (mtime, mtime))
        new.rename(path)

    def _compress(self, number: int, amount: int) -> None:
        self._twin(number, 2 * amount)
        self._path(number).unlink()

    def _decompress(self, number: int, _amount: int) -> None:
        packed = self._packed(number).read_bytes()
        self._path(number).write_bytes(zstandard.ZstdDecompressor().decompress(packed))
        self._packed(number).unlink()

    def _twin(self, number: int, amount: int) -> None:
        """A compressed one beside the plain one, of the same or of another content."""
        content = self._path(number).read_bytes()
        content = content.replace(b"prompt", b"packed") if amount % 2 else content
        self._packed(number).write_bytes(zstandard.ZstdCompressor().compress(content))

    def _delete(self, number: int, amount: int) -> None:
        (self._archived(number) if amount % 3 == 0 else self._path(number)).unlink()

    def _duplicate(self, number: int, amount: int) -> None:
        """A copy, or the same file by a second name."""
        target = self._path(number).with_name(f"rollout-{amount:03}.jsonl")
        (os.link if amount % 4 == 0 else shutil.copy2)(self._path(number), target)

    def _segment(self, number: int, amount: int) -> None:
        """The same thread goes on in a further file, whose name may be before the first's."""
        parent = self._path(number).parent if amount % 3 else self._archived(number).parent
        segment = uuid.UUID(int=amount, version=4)
        name = f"rollout-2026-01-01T03-{amount % 60:02}-30-{thread_id(number)}_{segment}.jsonl"
        base = {"thread_id": thread_id(number), "mode": "resume"}
        lines = (meta(history_base=base, model_provider=f"p{amount}"), tokens(amount))
        content = b"".join(line + b"\n" for line in lines)
        parent.mkdir(parents=True, exist_ok=True)
        own = content.replace(b"@id@", thread_id(number).encode())
        (parent / name).write_bytes(own)

    def _age(self, number: int, amount: int) -> None:
        os.utime(self._path(number), (amount, amount))

    def _link(self, number: int, _amount: int) -> None:
        """The file is elsewhere, and a symbolic link, which is not followed, in its place."""
        self._path(number).rename(self._place.root / f"linked-{number}")
        self._path(number).symlink_to(self._place.root / f"linked-{number}")

    def _folder(self, number: int, _amount: int) -> None:
        """A folder of the file's own name, with the file in it."""
        path = self._path(number)
        path.rename(self._place.root / "moving")
        path.mkdir()
        (self._place.root / "moving").rename(path / path.name)

    def _foreign(self, number: int, amount: int) -> None:
        """A name that is not UTF-8."""
        with open(os.fsencode(self._path(number).parent) + b"/rollout-%d\xff.jsonl" % amount, "wb"):  # noqa: PTH123
            pass
