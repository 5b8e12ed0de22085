"""One episode's room: a tree that is mistreated, the daemons on it, and what must hold after."""

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.daemon.living import Daemon, living, wait_until_true
from tests.daemon.tree import NUMBERS, Step, Tree
from tests.running import Place, dump, wait_until, watermark
from tests.torture.mutation import Mutator

QUICK = {"ROLLOUTD_RECONCILE_SECONDS": "1", "ROLLOUTD_METRICS_PORT": "0"}
TRUE_SECONDS = 60.0
_ANEW = "building a new one"
# What a watch holds: an inotify instance, and what ends its waits.
_WATCH = {"anon_inode:inotify", "anon_inode:[eventfd]"}
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# What a daemon may grow by in one episode: the allocator's, not a leak's, which the next would
# add to. The soak of `make bench` measures for longer.
_GROWTH_BYTES = 24 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a process holds: what its descriptors lead to, and memory in bytes."""

    descriptors: Counter[str]
    memory: int

    @classmethod
    def of(cls, pid: int) -> "Vitals":
        """Of a live process."""
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        descriptors: Counter[str] = Counter()
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # It was closed just now.
                descriptors[str(descriptor.readlink())] += 1
        return cls(descriptors, pages * _PAGE_BYTES)


class Room:
    """Where one episode happens. `counts` says what was done, for the report."""

    def __init__(self, root: Path, rng: random.Random, corpus: Sequence[bytes]) -> None:
        self.place = Place.make(root)
        self.rng = rng
        self.counts: Counter[str] = Counter()
        self._tree = Tree(self.place)
        self._kinds = sorted(self._tree.kinds)
        self._mutator = Mutator(rng, corpus)

    def mistreat(self, most: int = 12) -> None:
        """Let up to so many things happen to the tree."""
        for _ in range(self.rng.randint(1, most)):
            kind = self.rng.choice([*self._kinds, "create", "append", "mutate", "mutate"])
            number, amount = self.rng.choice(NUMBERS), self.rng.randint(1, 99)
            if kind == "mutate":
                self._mutate(number)
            else:
                self._tree.apply(Step(kind, number, amount))
            self.counts["steps"] += 1

    def _mutate(self, number: int) -> None:
        if not (self.place.home / "sessions").is_dir():
            return
        path = self.place.home / watermark(number)
        with suppress(OSError):  # A folder may have that name by now.
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._mutator.rollout())

    def settle(self) -> None:
        """Bring the tree into a state of which a fresh backfill can be asked."""
        self._tree.settle()

    @contextmanager
    def daemon(
        self, *, phase: str = "", prefix: tuple[str, ...] = (), env: Mapping[str, str] = QUICK
    ) -> Iterator[Daemon]:
        """A daemon of this place, with a reconcile every second."""
        with living(self.place, phase=phase, prefix=prefix, **{**QUICK, **env}) as daemon:
            yield daemon

    def kill(self, daemon: Daemon) -> None:
        """End a daemon as the out-of-memory killer would."""
        daemon.process.kill()
        assert daemon.process.wait() == -signal.SIGKILL, daemon.log.read_text()
        self.counts["kills"] += 1

    def vitals(self, daemon: Daemon) -> Vitals:
        """What the daemon holds once it is at rest.

        It may be true while it arms its watch anew, for roots that are new: between the watches
        it holds less, for as long as the kernel takes to give one back.
        """
        self.is_true_with(daemon)
        seen: list[Vitals] = []

        def is_at_rest() -> bool:
            seen.append(Vitals.of(daemon.process.pid))
            *_, before, now = (each.descriptors for each in (seen[0], *seen))
            return len(seen) > 1 and before == now and now.keys() >= _WATCH

        wait_until(is_at_rest, "the watch is armed")
        return seen[-1]

    def is_true_with(self, daemon: Daemon) -> None:
        """See that this daemon makes the database true."""
        self.settle()
        daemon.wait_for("following")
        wait_until_true(self.place, TRUE_SECONDS)

    def holds_no_more(self, daemon: Daemon, before: Vitals) -> None:
        """See that it has let go of what it used, once it is at rest again."""
        self.is_true_with(daemon)
        held, most = before.descriptors, before.descriptors.total()

        def has_let_go() -> bool:
            nonlocal held
            held = Vitals.of(daemon.process.pid).descriptors
            return held.total() <= most

        try:
            wait_until(has_let_go, f"no more descriptors than {most}")
        except AssertionError as error:
            error.add_note(f"{held} after {before.descriptors}")
            raise
        after = Vitals.of(daemon.process.pid)
        assert after.memory - before.memory < _GROWTH_BYTES, (before, after)

    def ends_well(self) -> None:
        """The question after every episode: a last daemon, and the database equals a fresh one."""
        with self.daemon() as daemon:
            self.is_true_with(daemon)
            begun = daemon.says(_ANEW)
            daemon.stop()
            is_anew = daemon.says(_ANEW) > begun
        if is_anew:  # It has come by damage that nobody had seen, and was stopped right then.
            self.ends_well()
            return
        assert dump(self.place.database) == self.place.fresh()
        wait_until(lambda: not self.left_behind(), "no process is left behind")

    def left_behind(self) -> list[int]:
        """Processes that work on this place."""
        mark = str(self.place.root).encode()
        return [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit()
            and int(entry.name) != os.getpid()
            and any(mark in _contents(entry / name) for name in ("environ", "cmdline"))
        ]


def _contents(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
