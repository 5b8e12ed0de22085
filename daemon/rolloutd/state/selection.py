"""Which threads are asked for, in which order, and the query that walks an index to find them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from rolloutd.sources import CLASSES, LABELS, beginning_of, class_of, is_word

_KNOWN_LABELS = tuple(label for label in LABELS if label != "unknown")


class Sort(StrEnum):
    """What a list is sorted by."""

    CREATED = "created"
    UPDATED = "updated"
    RECENCY = "recency"

    @property
    def column(self) -> str:
        """The column, in milliseconds since the epoch."""
        return f"{self.value}_at_ms"


class Order(StrEnum):
    """Which end comes first."""

    ASCENDING = "asc"
    DESCENDING = "desc"


class Key(NamedTuple):
    """A row's place in a list: `at_ms` in the sort's column, and, among equals, the id."""

    at_ms: int
    id: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which threads; what is not said is not asked for.

    Attributes:
        archived: archived ones, active ones, or, if None, both.
        sources: classes, labels (see `rolloutd.sources`) or whole sources; empty means all.
        empty: those too in which nobody has said anything yet.
        cwd: this directory, without a slash at its end, or below it.
        text: case-folded; stands in the title, the name or the first message.
        since_ms: at this time or later, by the column of the sort; milliseconds.
        until_ms: before this time, likewise.
    """

    archived: bool | None = False
    sources: tuple[str, ...] = ("user",)
    empty: bool = False
    providers: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    cwd: str | None = None
    branch: str | None = None
    text: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None


class Query(NamedTuple):
    """SQL with its values."""

    text: str
    values: list[Any]


def page_query(
    selection: Selection,
    sort: Sort,
    order: Order,
    after: Key | None,
    limit: int,
    columns: Sequence[str] = ("*",),
    *,
    moved: Sequence[str] = (),
) -> Query:
    """The first `limit` threads of a selection that come after a key.

    `columns` must hold the sort's and `id`, or be all. Where active and archived ones are asked
    for, two walks over the same index are merged. Of the threads with the ids in `moved`, those
    are among them, too, that are in the other state by their rows.
    """
    values: list[Any] = []
    walks = []
    for state, *of_state in _states(selection.archived, moved):
        conditions = [state]
        values += of_state
        for condition, *more in _conditions(selection, sort, order, after):
            conditions.append(condition)
            values += more
        where = " AND ".join(conditions)
        walks.append(f"SELECT {', '.join(columns)} FROM threads WHERE {where}")  # noqa: S608
    ordered = f"ORDER BY {sort.column} {order.value}, id {order.value} LIMIT ?"
    return Query(f"{' UNION ALL '.join(walks)} {ordered}", [*values, limit])


def _states(archived: bool | None, moved: Sequence[str]) -> Iterator[tuple[Any, ...]]:  # noqa: FBT001
    """For each walk, the condition that it starts with, and its values."""
    for state in (False, True):
        if archived in (None, state):
            yield "archived = ?", state
    if moved and archived is not None:
        # The ids are few: the plus keeps the walk off the index of that state.
        among = "id IN (SELECT value FROM json_each(?))"
        yield f"+archived = ? AND {among}", not archived, json.dumps(moved)


def _conditions(
    selection: Selection, sort: Sort, order: Order, after: Key | None
) -> Iterator[tuple[Any, ...]]:
    """Conditions, each with its values; what an index can tell, and what is cheap, comes first."""
    if after is not None:
        sign = ">" if order is Order.ASCENDING else "<"
        yield f"({sort.column}, id) {sign} (?, ?)", *after
    if selection.since_ms is not None:
        yield f"{sort.column} >= ?", selection.since_ms
    if selection.until_ms is not None:
        yield f"{sort.column} < ?", selection.until_ms
    yield from _source_conditions(selection.sources)
    if selection.cwd is not None:
        below = selection.cwd.rstrip("/")
        # Whatever begins with the directory and a slash; "0" is the character behind that.
        yield "(cwd = ? OR (cwd >= ? AND cwd < ?))", selection.cwd, below + "/", below + "0"
    for column, wanted in (
        ("model_provider", selection.providers),
        ("model", selection.models),
        ("git_branch", () if selection.branch is None else (selection.branch,)),
    ):
        if wanted:
            yield f"{column} IN ({', '.join('?' * len(wanted))})", *wanted
    if not selection.empty:
        yield ("preview <> ''",)
    if selection.text is not None:
        told = [f"holds({column}, ?)" for column in ("title", "name", "first_user_message")]
        yield f"({' OR '.join(told)})", *(selection.text,) * len(told)


def _source_conditions(sources: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    if not sources:
        return
    classes = dict.fromkeys(map(_class_asked_for, sources))
    yield f"source_class IN ({', '.join('?' * len(classes))})", *classes
    if CLASSES.keys() >= set(sources):
        return
    parts = [_source_condition(source) for source in sources]
    values = [value for _, *more in parts for value in more]
    yield f"({' OR '.join(part for part, *_ in parts)})", *values


def _class_asked_for(source: str) -> str:
    return source if source in CLASSES else class_of(_example_of(source))


def _example_of(source: str) -> str:
    return source if source not in LABELS or is_word(source) else beginning_of(source)


def _source_condition(source: str) -> tuple[Any, ...]:
    """Of a class, a label, or the source itself."""
    if source in CLASSES:
        return "source_class = ?", source
    if source == "unknown":
        others = [_source_condition(label) for label in _KNOWN_LABELS]
        return (
            f"NOT ({' OR '.join(part for part, *_ in others)})",
            *(value for _, *more in others for value in more),
        )
    if source in LABELS and not is_word(source):
        beginning = beginning_of(source)
        return "source >= ? AND source < ?", beginning, beginning[:-1] + "#"
    return "source = ?", source
