"""The readings of a file's parts make the reading of the file."""

from collections.abc import Iterator

from rolloutd.records import Cursor, Reading, Summary
from rolloutd.rollout.fold import fold
from rolloutd.rollout.items import decode
from rolloutd.rollout.line_fold import fold_tail, is_untouched
from rolloutd.rollout.messages import Job
from rolloutd.rollout.names import encoding_of, is_archived
from rolloutd.rollout.parts import PART_BYTES, Part, PartReading
from rolloutd.rollout.reading import why_no_thread


def parts_of(job: Job) -> Iterator[Job]:
    """The jobs that do this one between them; itself where it is better done in one go.

    It is for large plain files of which nothing is known yet.
    """
    count = Part(0, job.size).count
    is_fresh = job.known is None and job.limit is None
    if count > 1 and is_fresh and encoding_of(job.path) == "plain":
        for number in range(count):
            yield Job(job.path, PART_BYTES, part=Part(number, job.size))
    else:
        yield job


class Joining:
    """The parts of one file, joined in their order in whatever order they come."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._waiting: dict[int, PartReading | None] = {}
        self._joined = 0
        self._first: PartReading | None = None
        self._end: PartReading | None = None
        self._read = 0
        self._fits = True

    def add(self, part: Part, reading: PartReading | None) -> bool:
        """Add what was read of a part; returns whether that was all."""
        self._waiting[part.number] = reading
        while self._joined in self._waiting:
            self._join(self._waiting.pop(self._joined))
            self._joined += 1
        return self._joined == part.count

    def reading(self) -> Reading | None:
        """That of the file, once all parts are there; None if they do not fit together.

        Then the file was changed meanwhile, or is none that can be told in parts.
        """
        first, end = self._first, self._end
        if not self._fits or first is None or end is None:
            return None
        summary = first.summary
        resume = fold_tail(end.tail, summary)
        return Reading(
            self._path,
            is_archived(self._path),
            encoding_of(self._path),
            Cursor(stamp=first.stamp, offset=end.offset, anchors=end.anchors),
            summary,
            resume,
            why_no_thread(summary),
            read=self._read,
        )

    def _join(self, reading: PartReading | None) -> None:
        if reading is None or not self._fits:
            self._fits = False
        elif self._first is None:
            self._first = reading
            # What begins like this, or not at all yet, is understood by its first line only.
            self._fits = not (reading.summary.legacy or is_untouched(reading.summary))
        else:
            self._fits = reading.stamp == self._first.stamp
            _add(self._first.summary, reading)
        if reading is not None:
            self._read += reading.read
            if reading.anchors and self._end is None:
                self._end = reading


def _add(summary: Summary, part: PartReading) -> None:
    for line in part.kept:
        item = decode(line)
        assert item is not None, "what is kept is an item"
        fold(summary, item)
    summary.lines += part.summary.lines
    summary.items += part.summary.items
    for reason, count in part.summary.parse_errors.items():
        summary.parse_errors[reason] = summary.parse_errors.get(reason, 0) + count
