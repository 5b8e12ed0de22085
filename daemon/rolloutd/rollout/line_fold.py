"""Folding what a line reader gives: which lines count, which are errors, what the tail is."""

from typing import Protocol

import msgspec

from rolloutd.records import Summary
from rolloutd.rollout.depth import is_too_deep
from rolloutd.rollout.fold import fold
from rolloutd.rollout.items import (
    InvalidLine,
    Item,
    LineError,
    Outline,
    decode,
    decode_legacy,
    decode_legacy_header,
    is_blank,
    outlines,
    refuse_invalid_utf8,
    relevant,
)
from rolloutd.rollout.lines import LineReader, Run


class Keeper(Protocol):
    """Who folds what does not lie at the beginning of a file, and keeps lines for later."""

    def fold(self, summary: Summary, item: Item, line: bytes | memoryview, /) -> None:
        """Fold an item; InvalidLine as `fold` does."""


def fold_lines(reader: LineReader, summary: Summary, keeper: Keeper | None = None) -> None:
    """Fold every complete line that the reader gives; count what is skipped, by reason."""
    folding = _Folding(reader, summary, keeper)
    for run in reader:
        if not folding.at_once(run):
            for number in range(len(run.starts)):
                folding.one(run.line(number))
    if reader.oversized:
        _count(summary, LineError.OVERSIZED, reader.oversized)
    lines = folding.lines + reader.opaque
    summary.items += lines - folding.errors - folding.blank
    summary.lines += lines + reader.oversized


class _Folding:
    """What a reader gives, on its way into a summary; counts of lines so far."""

    def __init__(self, reader: LineReader, summary: Summary, keeper: Keeper | None) -> None:
        self.lines = self.errors = self.blank = 0
        self._reader = reader
        self._summary = summary
        self._keeper = keeper

    def at_once(self, run: Run) -> bool:
        """Fold a run whose lines are all plain items, most of which no row depends on.

        Returns whether that is what it is; if not, nothing was done.
        """
        if not run.plain or self._summary.legacy:
            return False
        if any(is_too_deep(run.line(number)) for number in run.large):
            return False
        try:
            refuse_invalid_utf8(run.text)
        except InvalidLine:
            return False
        found = outlines(run.text, len(run.starts))
        if found is None:
            return False
        before = self.lines
        for number, outline in relevant(found):
            self.lines = before + number
            self.one(run.line(number), outline)
        self.lines = before + len(found)
        return True

    def one(self, line: bytes | memoryview, outline: Outline | None = None) -> None:
        """Fold one line, whatever it is; with its `outline` if it is plainly an item."""
        summary = self._summary
        self.lines += 1
        try:
            if outline is None:
                _refuse_unreadable(line)
            item = decode_legacy(line) if summary.legacy else decode(line, outline)
            if item is not None:
                if self._keeper is None:
                    fold(summary, item)
                else:
                    self._keeper.fold(summary, item, line)
        except InvalidLine as invalid:
            if is_blank(line):
                self.blank += 1
            elif not (self._is_first() and _begins_legacy(line, summary)):
                self.errors += 1
                _count(summary, invalid.reason)

    def _is_first(self) -> bool:
        # The reader may be past lines already that come after this one.
        ahead = self._reader.ahead
        is_led = ahead is not None and ahead < self.lines
        is_new = self.lines - self.blank == 1 and not is_led and is_untouched(self._summary)
        return is_new and self._keeper is None


def _refuse_unreadable(line: bytes | memoryview) -> None:
    refuse_invalid_utf8(line)
    if is_too_deep(line):
        raise InvalidLine(LineError.DEPTH)


def is_untouched(summary: Summary) -> bool:
    """Whether there was nothing but blank lines so far."""
    return not (summary.items or summary.parse_errors)


def _begins_legacy(line: bytes | memoryview, summary: Summary) -> bool:
    try:
        _refuse_unreadable(line)
        header = decode_legacy_header(line)
        if header is None:
            return False
        fold(summary, header)
    except InvalidLine:
        return False
    return True


def fold_tail(tail: bytes | None, summary: Summary) -> Summary | None:
    """Fold a last line that has no newline yet, if it is an item already.

    Returns the summary without it, to go on from when the line is complete, or None if nothing
    was folded. Nothing is counted as an error: an unfinished line is the end of the data.
    """
    if not tail:
        return None
    line = memoryview(tail)
    resume = copy_of(summary)
    try:
        _refuse_unreadable(line)
        item = decode_legacy(line) if summary.legacy else decode(line)
        if item is not None:
            fold(summary, item)
    except InvalidLine:
        if not (is_untouched(summary) and _begins_legacy(line, summary)):
            return None
    summary.items += 1
    return resume


def _count(summary: Summary, reason: LineError, count: int = 1) -> None:
    summary.parse_errors[reason] = summary.parse_errors.get(reason, 0) + count


def copy_of(summary: Summary) -> Summary:
    """A summary that can be folded further while the given one stays."""
    return msgspec.convert(msgspec.to_builtins(summary), Summary)
