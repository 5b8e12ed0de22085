"""Tables fit the terminal, whatever is in them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len as measured

from rolloutd.table import Column, cell_len, cut, fitted, one_line

COLUMNS = (
    Column("ID"),
    Column("WHERE", least=5, keeps_end=True),
    Column("TITLE", least=8),
    Column("TOKENS", right=True),
)
ROWS = [
    ("0199", "/home/ada/projects/rolloutd", "Fix the login, which fails for everybody", "1.2k"),
    ("019a", "~", "表" * 30, "7"),
]


def table(width: int, rows: Sequence[tuple[str, ...]] = ROWS) -> list[str]:
    return fitted(COLUMNS, rows, width, colour=False)


def test_all_of_it_where_there_is_room() -> None:
    head, first, second = table(200)
    assert head.split() == ["ID", "WHERE", "TITLE", "TOKENS"]
    assert "/home/ada/projects/rolloutd  Fix the login, which fails for everybody" in first
    assert first.endswith("    1.2k")
    assert "表" * 30 in second
    assert measured(head) == measured(first) == measured(second)


def test_the_widest_gives_way_and_paths_keep_their_end() -> None:
    head, first, second = table(60)
    assert {measured(line) for line in (head, first, second)} <= {59, 60}
    assert "…ada/projects/rolloutd" in first
    assert "Fix the login" in first
    assert "…" in second


def test_no_more_than_the_terminal_has_whatever_it_is() -> None:
    for width in range(1, 60):
        assert all(measured(line) <= width for line in table(width))


@given(
    rows=st.lists(st.tuples(*(st.text(max_size=60),) * 4), max_size=5),
    width=st.integers(min_value=1, max_value=150),
)
def test_whatever_is_written_in_it(rows: list[tuple[str, ...]], width: int) -> None:
    lines = table(width, rows)
    assert len(lines) == len(rows) + 1
    for line in lines:
        assert line.isprintable()
        assert measured(line) <= width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo\t three ", "one two three"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202eback", "\\u202eback"),
        ("a\u2028b", "a b"),
        ("\U0001f980 表", "\U0001f980 表"),
    ],
)
def test_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown


@pytest.mark.parametrize(
    ("text", "width", "keeps_end", "shown"),
    [
        ("abcdef", 6, False, "abcdef"),
        ("abcdef", 5, False, "abcd…"),
        ("abcdef", 5, True, "…cdef"),
        ("表表表", 5, False, "表表…"),
        ("表表表", 4, False, "表…"),
        ("表表表", 4, True, "…表"),
        ("abc", 1, False, "…"),
    ],
)
def test_cut(text: str, width: int, *, keeps_end: bool, shown: str) -> None:
    assert cut(text, width, keeps_end=keeps_end) == shown


def test_colour_is_in_the_head_only() -> None:
    head, *lines = fitted(COLUMNS, ROWS, 80, colour=True)
    assert head.startswith("\x1b[1m")
    assert head.endswith("\x1b[0m")
    assert lines == table(80)[1:]


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_widths_are_those_of_rich(text: str) -> None:
    assert cell_len(one_line(text)) == measured(one_line(text))
