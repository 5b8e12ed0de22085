"""Finding rollouts under a Codex home, without following or opening anything."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

from msgspec import Struct

from rolloutd.records import FileStamp
from rolloutd.rollout.irregular import describe_irregular
from rolloutd.rollout.names import ROOTS, is_rollout_name, watermark_text


class Candidate(Struct, frozen=True, gc=False):
    """Something on disk that is, or is named like, a rollout.

    Attributes:
        path: the watermark, relative to the home.
        packed: `stamp`, in little room.
        problem: why it cannot be read, e.g. `symbolic link, not followed`; None for a regular file.
        is_directory: a directory that could not be listed: what lies below it is unknown.
    """

    path: str
    packed: bytes | None = None
    problem: str | None = None
    is_directory: bool = False

    @property
    def stamp(self) -> FileStamp | None:
        """The file's state at the time of looking; None where there is a problem."""
        return None if self.packed is None else FileStamp.unpacked(self.packed)

    @property
    def size(self) -> int:
        """Bytes to be read."""
        return 0 if self.packed is None else FileStamp.packed_size(self.packed)


_NOT_THERE = (0, 0)
_TICK_FILES = 1024


@dataclass(frozen=True, slots=True)
class Discovery:
    """All candidates, in the order of their watermarks.

    `roots` are those that were there (device and inode), `unlisted` the directories that could
    not be listed.
    """

    home: Path
    candidates: tuple[Candidate, ...]
    roots: dict[str, tuple[int, int]]
    unlisted: tuple[str, ...]

    def still_there(self) -> "Discovery":
        """The same, of those roots only that are there now and have not been replaced.

        When a whole root goes away while it is looked at, its files are not gone one by one.
        """
        roots = {
            name: file
            for name, file in self.roots.items()
            if file == _NOT_THERE or _root(self.home / name) == file
        }
        return replace(self, roots=roots)

    def with_every_root(self) -> "Discovery":
        """The same, with absent roots counted as empty ones."""
        return replace(self, roots=dict.fromkeys(ROOTS, _NOT_THERE) | self.roots)

    def finds_below(self, root: str) -> bool:
        """Whether there is any candidate below a root."""
        # They are sorted by it.
        ends = (*self.candidates[:1], *self.candidates[-1:])
        return any(each.path.startswith(f"{root}/") for each in ends)

    def covers(self, path: str) -> bool:
        """Whether this look would have seen `path`, had it been there.

        False below a missing root or a directory that could not be listed: then absence from
        `candidates` does not mean that the file is gone. What lies below no root at all is no
        rollout.
        """
        root = path.split("/", 1)[0]
        if root not in self.roots:
            return root not in ROOTS
        return not self.is_closed(path)

    def is_closed(self, path: str) -> bool:
        """Whether it would lie below a directory that could not be listed."""
        return any(path.startswith(directory + "/") for directory in self.unlisted)


def discover(home: Path, looking: Callable[[], None] | None = None) -> Discovery:
    """Look at `sessions/` and `archived_sessions/`, recursively; a plain file hides its `.zst`.

    A root may be a symbolic link, as Codex has it; nothing below one is followed. `looking` is
    called every now and then: a large tree on a slow file system takes its time.

    Raises:
        OSError: it cannot be told whether there are roots.
    """
    found: list[Candidate] = []
    roots = {}
    for root in ROOTS:
        file = _root(home / root)
        if file is None:
            continue
        roots[root] = file
        for candidate in walk(home, root):
            found.append(candidate)
            if looking is not None and len(found) % _TICK_FILES == 0:
                looking()
    # Of text that is valid, the order of code points is that of the bytes in UTF-8.
    found.sort(key=attrgetter("path"))
    hidden = _hidden(found)
    visible = [
        each
        for before, each in pairwise((Candidate(""), *found))
        # A directory that changes meanwhile may be listed with a name in it twice.
        if each.path != before.path and each.path not in hidden
    ]
    unlisted = tuple(candidate.path for candidate in visible if candidate.is_directory)
    return Discovery(home, tuple(visible), roots, unlisted).still_there()


def _root(path: Path) -> tuple[int, int] | None:
    """Device and inode of a directory; None if there is none."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISDIR(status.st_mode) else None


def _hidden(found: Sequence[Candidate]) -> set[str]:
    """Compressed files that lie beside their plain form."""
    compressed = {each.path for each in found if each.path.endswith(".zst")}
    if not compressed:
        return compressed
    plain = (f"{each.path}.zst" for each in found if each.problem is None)
    return compressed.intersection(plain)


def walk(home: Path, relative: str) -> Iterator[Candidate]:
    """Every candidate below the directory `relative`, in no particular order."""
    pending = [relative]
    prefix = os.fspath(home) + "/"
    while pending:
        directory = pending.pop()
        try:
            with _listed(prefix + directory) as entries:
                for entry in entries:
                    name = entry.name
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(f"{directory}/{name}")
                    if is_rollout_name(name):
                        candidate = _candidate(f"{directory}/{name}", entry)
                        if candidate is not None:
                            yield candidate
        except FileNotFoundError:
            continue  # Removed since its parent was listed.
        except OSError as error:
            yield Candidate(
                watermark_text(directory),
                problem=f"directory: {error.strerror}",
                is_directory=True,
            )


def fingerprint(home: Path, looking: Callable[[], None]) -> int | None:
    """A number that is another one whenever `discover` would find anything else.

    For two thirds of its time, and no memory. None if not all can be seen. It holds within one
    process, and as long as directories list what has not changed in the same order.
    """
    seen = count = 0
    try:
        for root in ROOTS:
            file = _root(home / root)
            seen = hash((seen, file))
            pending = [] if file is None else [f"{home}/{root}"]
            while pending:
                directory = pending.pop()
                seen = hash((seen, directory))
                with _listed(directory) as entries:
                    for entry in entries:
                        name = entry.name
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(f"{directory}/{name}")
                        if is_rollout_name(name):
                            status = entry.stat(follow_symlinks=False)
                            seen = hash(
                                (
                                    seen,
                                    name,
                                    status.st_ino,
                                    status.st_size,
                                    status.st_mtime_ns,
                                    status.st_ctime_ns,
                                )
                            )
                            count += 1
                            if count % _TICK_FILES == 0:
                                looking()
    except OSError:
        return None
    return seen


def first_found(home: Path) -> Iterator[Candidate]:
    """What `discover` would find, in its order, one at a time: for a head start.

    It may be wrong about what changes meanwhile, and ends where it cannot go on.
    """
    pending = [root for root in sorted(ROOTS, reverse=True) if _root(home / root)]
    while pending:
        path = pending.pop()
        if not path.endswith("/") and path not in ROOTS:
            candidate = look(home, path)
            if candidate is not None and candidate.problem is None:
                yield candidate
            continue
        directory = path.removesuffix("/")
        with _listed(f"{home}/{directory}") as entries:
            names = {
                f"{each.name}/" if each.is_dir(follow_symlinks=False) else each.name
                for each in entries
            }
        # A directory stands among files where the paths below it do.
        for name in sorted(names, reverse=True):
            hidden = name.endswith(".zst") and name.removesuffix(".zst") in names
            if name.endswith("/") or (is_rollout_name(name) and not hidden):
                pending.append(f"{directory}/{name}")


@contextmanager
def _listed(directory: str) -> Iterator[Iterator[os.DirEntry[str]]]:
    # By a descriptor: the entries are then looked at without their whole path being resolved
    # anew for each, which takes half of the time of a walk.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with os.scandir(descriptor) as entries:
            yield entries
    finally:
        os.close(descriptor)


def look(home: Path, path: str) -> Candidate | None:
    """One file by its watermark, as a walk would have found it; None if it is not there.

    Not there is also what a walk would not come by: below a symbolic link, or not named like a
    rollout.

    Raises:
        OSError: it cannot be told.
    """
    *directories, name = path.split("/")
    if not directories or directories[0] not in ROOTS or not is_rollout_name(name):
        return None
    here = os.fspath(home)
    try:
        for depth, directory in enumerate(directories):
            here = f"{here}/{directory}"
            if not stat.S_ISDIR((os.lstat if depth else os.stat)(here).st_mode):
                return None
        return _from_status(path, os.lstat(f"{here}/{name}"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def _candidate(path: str, entry: os.DirEntry[str]) -> Candidate | None:
    try:
        return _from_status(path, entry.stat(follow_symlinks=False))
    except FileNotFoundError:
        return None
    except OSError as error:
        return Candidate(watermark_text(path), problem=str(error.strerror))


def _from_status(path: str, status: os.stat_result) -> Candidate:
    if path.isascii() and stat.S_ISREG(status.st_mode):
        return Candidate(path, FileStamp.of(status).packed())
    text = watermark_text(path)
    if text != path:
        return Candidate(text, problem="file name is not UTF-8")
    problem = describe_irregular(status.st_mode)
    if problem is not None:
        return Candidate(path, problem=problem)
    return Candidate(path, FileStamp.of(status).packed())
