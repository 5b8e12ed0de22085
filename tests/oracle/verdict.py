"""The verdict on one home: what differs and is not in the table, or is in it and does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .compare import MTIME, Judged, Row, expected
from .reasons import LISTED, Difference

_OF_THE_FILE = frozenset(
    {"id", "rollout_path", "created_at", "updated_at", "updated_at_ms", "recency_at"}
    | {"recency_at_ms", "archived_at", MTIME}
)
_DEFAULTS = {
    "source": "vscode",
    "sandbox_policy": '{"type":"read-only"}',
    "approval_mode": "on-request",
    "memory_mode": "enabled",
    "history_mode": "legacy",
}


def said(row: Row | None, provider: str) -> Row | None:
    """What a row says beyond the defaults, times and place of the file aside."""
    if row is None:
        return None
    defaults = {**_DEFAULTS, "model_provider": provider}
    return {
        column: value
        for column, value in row.items()
        if column not in _OF_THE_FILE
        and value not in (None, "", 0, ())
        and value != defaults.get(column)
    }


@dataclass
class Verdict:
    """Problems found so far, and the entries of the table that were needed."""

    differences: Sequence[Difference]
    problems: list[str] = field(default_factory=list)
    needed: set[Difference] = field(default_factory=set)
    compared: int = 0

    def look_at(self, judged: Judged, name_of: Callable[[str], str], provider: str) -> None:
        """Compare every column of every thread of a home."""
        for thread_id in judged.thread_ids():
            name = name_of(thread_id)
            wanted = expected(name, judged.old.get(thread_id), judged.new.get(thread_id))
            row = judged.rolloutd.get(thread_id)
            self.compared += 1
            for column, right, actual in _pairs(wanted, row, provider):
                self._compare(name, column, row, right, actual)

    def _compare(self, name: str, column: str, row: Row | None, wanted: Any, actual: Any) -> None:
        if wanted == actual:
            return
        entry = next((each for each in self.differences if each.matches(name, column)), None)
        if entry is None:
            self.problems.append(f"{name}: {column}: wanted {wanted!r}, rolloutd has {actual!r}")
            return
        self.needed.add(entry)
        listed = entry.value_for(row, wanted)
        if listed != actual:
            self.problems.append(
                f"{name}: {column}: the table says {listed!r} ({entry.why}), "
                f"rolloutd has {actual!r}, Codex {wanted!r}"
            )

    def check_needed(self, entries: Iterable[Difference]) -> None:
        """Of these entries, those that no thread needs any more are a problem."""
        self.problems += [
            f"{each.name}: {each.column}: in the table ({each.why}), but no difference"
            for each in entries
            if each not in self.needed
        ]

    def report(self) -> str:
        """All that is wrong, one line each."""
        return "\n".join(["", *self.problems])


def _pairs(wanted: Row | None, row: Row | None, provider: str) -> Iterator[tuple[str, Any, Any]]:
    if wanted is None or row is None:
        yield LISTED, said(wanted, provider), said(row, provider)
        return
    for column in wanted.keys() & row.keys():
        yield column, wanted[column], row[column]
