"""A thread of very many files: merged anew with each change, it would cost more with each file.

Its files are kept in portions, each with the sum of what its files say. A change costs its own
portion, and a look at the sums of the others.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import TypeAlias

from rolloutd.records import FileSummary
from rolloutd.rollout.merge import combine

PORTION_FILES = 128

# The files of some watermarks, in their order; without those of which nothing can be said.
Load: TypeAlias = Callable[[Sequence[str]], Sequence[FileSummary]]


@dataclass(slots=True)
class _Portion:
    paths: list[str]
    total: FileSummary | None = None
    is_known: bool = False


class Portions:
    """The files of one thread, by their watermarks."""

    def __init__(self, paths: Sequence[str]) -> None:
        rest = iter(sorted(paths))
        self._portions: list[_Portion] = []
        while some := list(islice(rest, PORTION_FILES)):
            self._portions.append(_Portion(some))

    def __len__(self) -> int:
        return sum(len(portion.paths) for portion in self._portions)

    def put(self, path: str) -> None:
        """A file is new, or says something else than before."""
        at = self._at(path)
        paths = self._portions[at].paths if self._portions else []
        place = bisect_left(paths, path)
        if paths[place : place + 1] != [path]:
            paths.insert(place, path)
        middle = len(paths) // 2 if len(paths) > 2 * PORTION_FILES else 0
        halves = (paths[:middle], paths[middle:])
        self._portions[at : at + 1] = [_Portion(half) for half in halves if half]

    def remove(self, path: str) -> None:
        """A file is gone, or is another thread's, if it ever was one of these."""
        at = self._at(path)
        if at < len(self._portions) and path in (paths := self._portions[at].paths):
            paths.remove(path)
            self._portions[at : at + 1] = [_Portion(paths)] if paths else []

    def totals(self, load: Load) -> Iterator[FileSummary]:
        """What all files add to the thread, summed up portion by portion, in their order."""
        for portion in self._portions:
            if not portion.is_known:
                files = load(portion.paths)
                portion.total = reduce(_sum, files) if files else None
                portion.is_known = True
            if portion.total is not None:
                yield portion.total

    def _at(self, path: str) -> int:
        firsts = [portion.paths[0] for portion in self._portions]
        return max(0, bisect_right(firsts, path) - 1)


def _sum(earlier: FileSummary, later: FileSummary) -> FileSummary:
    summary = combine(earlier.summary, later.summary)
    return FileSummary(later.path, later.archived, later.mtime_ns, summary)
