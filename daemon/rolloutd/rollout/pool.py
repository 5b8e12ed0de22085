"""Reader processes and the handing out of rollouts to them.

Reading is work for a processor and Python runs on one at a time, so each reader is a process, and
a large rollout is read in parts. Results come back in the order of the jobs, whatever order they
are done in, with a bounded number of them waiting.
"""

import select
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from types import TracebackType
from typing import Self

from rolloutd.errors import RolloutdError
from rolloutd.records import Reading
from rolloutd.rollout.joining import Joining, parts_of
from rolloutd.rollout.lines import LINE_LIMIT_BYTES
from rolloutd.rollout.messages import Assignment, Job, Told
from rolloutd.rollout.names import encoding_of, is_archived
from rolloutd.rollout.parts import Part
from rolloutd.rollout.processes import ReaderProcess, SpawnedReader, reader_count
from rolloutd.rollout.reader import Reader

# Results that wait for those before them: so many, and so many bytes of them.
_WINDOW_JOBS = 1800
_WINDOW_BYTES = 16 * 1024 * 1024
_TICK_MS = 200
_STARTS = 5
_UNSENT_MS = 5


class ReadersUnavailable(RolloutdError):
    """No reader process can be started: nothing can be said of any rollout."""


class ReaderPool:
    """Some reader processes on one home; they end with the `with`.

    `started` are some of them that run already.
    """

    def __init__(
        self,
        home: str,
        count: int | None = None,
        *,
        line_limit: int = LINE_LIMIT_BYTES,
        started: Iterable[ReaderProcess] = (),
    ) -> None:
        self.home = home
        self._count = reader_count() if count is None else count
        self._assignment = Assignment(home, line_limit)
        self._readers = [Reader(process, self._assignment) for process in started]
        self._begun: list[Job] = []
        self._cut: list[tuple[int, Job]] = []  # what was not taken of the last of them
        self._stillborn = 0  # readers in a row that ended before they said anything
        self._is_reading = False

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Start the processes now, rather than at the first job.

        Raises:
            ReadersUnavailable: not one can be started; with fewer than there should be we do.
        """
        while len(self._readers) < self._count:
            try:
                self._readers.append(self._started())
            except ReadersUnavailable:
                if self._readers:
                    return
                raise

    def _started(self) -> Reader:
        try:
            process = SpawnedReader()
        except OSError as error:
            raise ReadersUnavailable(f"no reader process can start: {error.strerror}") from error
        return Reader(process, self._assignment)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """End the processes; the next `read` starts others."""
        for reader in self._readers:
            reader.end()
        self._readers.clear()

    @property
    def has_begun(self) -> bool:
        """Whether there are results that the next `read` is to take."""
        return bool(self._begun)

    def begin(self, jobs: Iterable[Job]) -> None:
        """Have the first of these read already, as many as the readers take.

        The next `read` has their results at once, if its jobs begin with the same files.
        """
        self.start()
        for job in jobs:
            parts = self._numbered(len(self._begun), job)
            while parts and self._give(*parts[0], ahead=True):
                del parts[0]
            self._begun.append(job)
            if parts:
                self._cut = parts
                break
        for reader in self._readers:
            reader.send()

    def _numbered(self, number: int, job: Job) -> list[tuple[int, Job]]:
        return [(number, each) for each in (parts_of(job) if self._count > 1 else (job,))]

    def _give(self, number: int, job: Job, *, ahead: bool = False) -> bool:
        free = [reader for reader in self._readers if reader.takes(job, ahead=ahead)]
        if free:
            min(free, key=lambda reader: reader.load).give(number, job)
        return bool(free)

    def _rest(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Job]]:
        """What has not begun, numbered by job; all of them if others were begun."""
        begun, self._begun = self._begun, []
        cut, self._cut = self._cut, []
        numbered: Iterator[tuple[int, Job]] = enumerate(jobs)
        first = list(islice(numbered, len(begun)))
        if [job.path for _, job in first] != [job.path for job in begun]:
            self.end()
            numbered, cut = chain(first, numbered), []
        rest = (part for number, job in numbered for part in self._numbered(number, job))
        return chain(cut, rest)

    def read(
        self, jobs: Iterable[Job], tick: Callable[[int], None]
    ) -> Iterator[tuple[Job, Reading | None]]:
        """Each job with its reading, in the order of the jobs; None where the file was gone.

        `tick` is called several times a second, with the bytes read since its last call; what
        it raises ends the reading. It cannot read by the same pool.
        """
        assert not self._is_reading, "the readers are at work for another call"
        pending = self._rest(jobs)
        upcoming = next(pending, None)
        if upcoming is None and not any(reader.jobs for reader in self._readers):
            return
        self.start()
        results = _Results()
        self._is_reading = True
        try:
            while True:
                while upcoming is not None and upcoming[0] < results.number + _WINDOW_JOBS:
                    if not self._give(*upcoming):
                        break
                    upcoming = next(pending, None)
                if upcoming is None and not any(reader.jobs for reader in self._readers):
                    return
                tick(self._exchange(results))
                yield from results.in_order()
        finally:
            self._is_reading = False
            # What is still being read is nobody's any more: it must not answer the next call.
            for reader in [each for each in self._readers if each.jobs]:
                reader.end()
                self._readers.remove(reader)

    def _exchange(self, results: "_Results") -> int:
        """Send what is queued, wait for something to be heard; returns bytes read."""
        for reader in self._readers:
            if reader.has_unsent:
                reader.send()
        unsent = any(reader.has_unsent for reader in self._readers)
        # With enough results waiting, only the reader is heard that has the one they wait for.
        heard = [
            reader for reader in self._readers if not results.is_full or reader.has(results.number)
        ]
        poll = select.poll()
        for reader in heard:
            poll.register(reader.output, select.POLLIN)
        ready = dict(poll.poll(_UNSENT_MS if unsent else _TICK_MS))
        return sum(self._hear(reader, results) for reader in heard if reader.output in ready)

    def _hear(self, reader: Reader, results: "_Results") -> int:
        messages = reader.heard()
        if messages is None:
            self._bury(reader, results)
            return 0
        taken = 0
        for size, told in messages:
            reader.greeted = True
            self._stillborn = 0
            taken += told.taken
            if told.is_result:
                number, job = reader.done()
                whole = results.tell(number, job, told, size)
                if whole is not None:
                    reader.give(number, whole)
        return taken

    def _bury(self, reader: Reader, results: "_Results") -> None:
        """Replace a reader that died.

        Anything may have killed it; a rollout is to blame only if two readers died of it.
        """
        code = reader.ended()
        reader.end()
        if not reader.greeted:
            self._stillborn += 1
            if self._stillborn >= _STARTS:
                raise ReadersUnavailable(f"the reader processes do not start: exit code {code}")
        successor = self._started()
        self._readers[self._readers.index(reader)] = successor
        if reader.greeted and reader.jobs and results.blame(*reader.jobs[0]) > 1:
            number, job = reader.done()
            why = f"reading it ended two reader processes, the last with code {code}"
            results.fail(number, job, why)
        for queued in reader.jobs:
            successor.give(*queued)


class _Results:
    """Results that wait for those before them; `number` is the first that is not there."""

    def __init__(self) -> None:
        self.number = 0
        self._deaths: Counter[tuple[int, Part | None]] = Counter()
        self._joining: dict[int, Joining] = {}
        self._waiting: dict[int, tuple[Job, Reading | None, int]] = {}
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        return self._bytes > _WINDOW_BYTES

    def tell(self, number: int, job: Job, told: Told, size: int) -> Job | None:
        """Take what was told of a job, in so many bytes.

        Returns the whole job if that was of its last part, and the parts do not fit together.
        """
        if job.part is None:
            self._add(number, job, told.reading, size)
        elif number >= self.number and number not in self._waiting:  # else it has failed
            joining = self._joining.setdefault(number, Joining(job.path))
            if joining.add(job.part, told.part):
                del self._joining[number]
                reading = joining.reading()
                if reading is None:
                    return job.whole
                self._add(number, job.whole, reading, size)
        return None

    def fail(self, number: int, job: Job, why: str) -> None:
        """A job cannot be done, or a part of it cannot."""
        self._joining.pop(number, None)
        path = job.path
        reading = Reading(path, is_archived(path), encoding_of(path), error=why)
        self._add(number, job.whole, reading, 0)

    def _add(self, number: int, job: Job, reading: Reading | None, size: int) -> None:
        self._waiting[number] = (job, reading, size)
        self._bytes += size

    def blame(self, number: int, job: Job) -> int:
        """Count one more reader that died of a job."""
        self._deaths[number, job.part] += 1
        return self._deaths[number, job.part]

    def in_order(self) -> Iterator[tuple[Job, Reading | None]]:
        while self.number in self._waiting:
            job, reading, size = self._waiting.pop(self.number)
            self._bytes -= size
            self.number += 1
            yield job, reading
