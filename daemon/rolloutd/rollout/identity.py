"""Whose rollout a file is: its record's word, for the price of its first line or so."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from rolloutd.records import Summary
from rolloutd.rollout.fold import new_summary
from rolloutd.rollout.irregular import describe_irregular
from rolloutd.rollout.line_fold import fold_lines, fold_tail
from rolloutd.rollout.lines import ByteSource, LineReader, Run
from rolloutd.rollout.names import encoding_of
from rolloutd.rollout.reading import OPEN_FLAGS, source_of, why_no_thread
from rolloutd.rollout.sources import CompressedError

# Enough for most first lines, and little to look at beyond them.
_BUFFER_BYTES = 64 * 1024


class Unidentified(Exception):
    """It cannot be told, for this reason: the file has no thread, as far as can be seen."""


class Unreadable(Unidentified):
    """The file cannot be read now; what it holds is open."""


def recorded_thread(path: str) -> str:
    """The id of the thread in the rollout at `path`, as folding all of it would tell.

    That is the first session_meta's, wherever it stands and whatever the file is called; else
    the name's.

    Raises:
        FileNotFoundError: there is no such file.
        Unidentified, Unreadable: see there.
    """
    try:
        descriptor = os.open(path, OPEN_FLAGS)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(path) from error
    except ValueError as error:  # no path at all
        raise FileNotFoundError(path) from error
    except OSError as error:
        raise Unreadable(str(error.strerror)) from error
    try:
        return _recorded(descriptor, path)
    except OSError as error:
        raise Unreadable(f"reading: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _recorded(descriptor: int, path: str) -> str:
    irregular = describe_irregular(os.fstat(descriptor).st_mode)
    if irregular is not None:
        raise Unidentified(irregular)
    head = head_of(descriptor, path)
    problem = head.problem or why_no_thread(head.summary)
    if problem is not None or head.summary.thread_id is None:
        raise Unidentified(problem)
    return head.summary.thread_id


class Head(NamedTuple):
    """What a file says up to the line that identifies its thread, or all of it.

    Attributes:
        is_cut: there is more, which was not looked at though nothing was found.
        problem: why a compressed file gave no more than this.
    """

    summary: Summary
    is_cut: bool
    problem: str | None


def head_of(descriptor: int, path: str, most: float = float("inf")) -> Head:
    """Look for the line that identifies the thread, in about the first `most` bytes.

    Raises:
        OSError: the file cannot be read.
    """
    size = os.fstat(descriptor).st_size
    summary = new_summary(path)
    reader = _HeadReader(source_of(descriptor, encoding_of(path), size), summary, most)
    problem = None
    try:
        fold_lines(reader, summary)
        if not summary.identified and not reader.is_cut:
            fold_tail(reader.tail, summary)
    except CompressedError as error:
        problem = str(error)
    return Head(summary, reader.is_cut, problem)


class _HeadReader(LineReader):
    """The lines up to those that identify the thread; `is_cut` if there were too many."""

    def __init__(self, source: ByteSource, summary: Summary, most: float) -> None:
        super().__init__(source, buffer_bytes=_BUFFER_BYTES)
        self.is_cut = False
        self._summary = summary
        self._most = most

    def __iter__(self) -> Iterator[Run]:
        for run in super().__iter__():
            yield run
            if self._summary.identified:
                return
            if self.offset > self._most:
                self.is_cut = True
                return
