"""A table of threads for people: which, when, where, what, and how much."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rolloutd.state.selection import Selection, Sort
from rolloutd.table import Column, fitted
from rolloutd.terminal import Terminal
from rolloutd.wording import count_text, elapsed_text, path_text

_SHOWN_OF_A_TITLE = 400

_ID, _WHEN = Column("ID"), Column("WHEN")
_REST = (
    Column("WHERE", least=12, keeps_end=True),
    Column("TITLE", least=16),
    Column("MODEL", least=6),
    Column("TOKENS", right=True),
)


@dataclass(frozen=True, slots=True)
class View:
    """How a table is to be looked at.

    Attributes:
        user_folder: shown as `~`.
        id_length: so many characters tell an id from all others.
        now: in epoch seconds.
    """

    terminal: Terminal
    user_folder: str | None
    id_length: int
    now: float


def columns_of(sort: Sort) -> tuple[str, ...]:
    """What a table needs of each row."""
    title = f"substr(title, 1, {_SHOWN_OF_A_TITLE}) AS title"
    fixed = ("id", "rollout_path", "archived", "source_class", "cwd", "name", "model")
    return (*fixed, title, "tokens_used", sort.column)


def table_lines(
    threads: Sequence[Mapping[str, Any]], selection: Selection, sort: Sort, view: View
) -> list[str]:
    """The table; who was at work, and in which state a thread is, where that differs."""
    more: list[tuple[Column, Callable[[Mapping[str, Any]], str]]] = []
    if selection.sources != ("user",):
        more.append((Column("WHO"), lambda row: str(row["source_class"])))
    if selection.archived is None:
        more.append((Column("STATE"), lambda row: "archived" if row["archived"] else "active"))
    rows = [
        (
            row["id"][: view.id_length],
            elapsed_text(view.now, row[sort.column]),
            *(text_of(row) for _, text_of in more),
            path_text(row["cwd"], view.user_folder),
            row["name"] or row["title"],
            row["model"] or "",
            count_text(row["tokens_used"]),
        )
        for row in threads
    ]
    columns = (_ID, _WHEN, *(column for column, _ in more), *_REST)
    return fitted(columns, rows, view.terminal.width, colour=view.terminal.colour)
