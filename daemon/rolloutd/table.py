"""Tables that fit a terminal, whatever is written in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from rolloutd.wording import printable

_GAP = "  "
_CUT = "…"
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        right: to be aligned on its right.
        least: where the table is too wide, this column may be cut down to so many cells; None if
            it must not be.
        keeps_end: its beginning is cut off, rather than its end.
    """

    name: str
    right: bool = False
    least: int | None = None
    keeps_end: bool = False


def fitted(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, *, colour: bool
) -> list[str]:
    """The lines of a table, each of `width` cells at most.

    Cells are made fit for a terminal: on one line, without control characters.
    """
    cells = [[one_line(text) for text in row] for row in rows]
    natural = [
        max(cell_len(text) for text in (column.name, *each))
        for column, *each in zip(columns, *cells, strict=True)
    ]
    widths = _shrunk(columns, natural, width - len(_GAP) * (len(columns) - 1))
    head = cut(_line(columns, [column.name for column in columns], widths), width)
    lines = [cut(_line(columns, row, widths), width) for row in cells]
    return [f"{_BOLD}{head}{_PLAIN}" if colour else head, *lines]


def _shrunk(columns: Sequence[Column], natural: Sequence[int], room: int) -> list[int]:
    """Widths that fit: the widest of what may be cut gives way first."""
    widths = list(natural)
    while sum(widths) > room:
        able = [
            at
            for at, column in enumerate(columns)
            if column.least is not None and widths[at] > column.least
        ]
        if not able:
            break
        widest = max(able, key=lambda at: widths[at])
        others = [widths[at] for at in able if at != widest]
        least = columns[widest].least or 0
        # Down to the next widest, to its least, or by as much as is too much.
        target = max([least, widths[widest] - (sum(widths) - room), *others])
        widths[widest] = min(target, widths[widest] - 1)
    return widths


def _line(columns: Sequence[Column], cells: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for column, text, width in zip(columns, cells, widths, strict=True):
        shown = cut(text, width, keeps_end=column.keeps_end)
        space = " " * (width - cell_len(shown))
        parts.append(space + shown if column.right else shown + space)
    return _GAP.join(parts).rstrip()


def one_line(text: str) -> str:
    """The text with white space as single spaces, and what a terminal obeys made visible."""
    return printable(" ".join(text.split()))


def cell_len(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.replace(_CUT, ".").isascii():
        return len(text)
    # Most tables are done before this would be imported.
    from rich.cells import cell_len as measured

    return measured(text)


def cut(text: str, width: int, *, keeps_end: bool = False) -> str:
    """The text in `width` cells, with an ellipsis where something is missing."""
    if cell_len(text) <= width:
        return text
    kept = ""
    room = width - 1
    for character in reversed(text) if keeps_end else text:
        room -= cell_len(character)
        if room < 0:
            break
        kept += character
    return f"{_CUT}{kept[::-1]}" if keeps_end else f"{kept}{_CUT}"
