"""What the shell offers for an argument; where nothing is known, it offers nothing."""

from collections.abc import Iterator, Mapping

import typer

from rolloutd.commands.options import read_places
from rolloutd.errors import RolloutdError
from rolloutd.sources import CLASSES, LABELS
from rolloutd.state.lookups import words_beginning
from rolloutd.state.reader import StateReader
from rolloutd.state.selection import Order, Sort
from rolloutd.table import cut, one_line

_OFFERED = 50
# A shell that offers nothing is better than one that hangs.
_PATIENCE_SECONDS = 0.2
_TITLE_CELLS = 60


def complete_source(incomplete: str) -> list[str]:
    """Classes and labels."""
    return [each for each in dict.fromkeys((*CLASSES, *LABELS)) if each.startswith(incomplete)]


def complete_sort(incomplete: str) -> list[str]:
    """What a list can be sorted by."""
    return [each.value for each in Sort if each.startswith(incomplete)]


def complete_order(incomplete: str) -> list[str]:
    """Which end of it may come first."""
    return [each.value for each in Order if each.startswith(incomplete)]


def complete_thread(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Names and ids of threads that begin so, the newest first, each with its title."""
    given = {name: ctx.params.get(name) for name in ("codex_home", "database")}
    try:
        return list(_threads(given, incomplete))
    except RolloutdError:
        return []


def _threads(given: Mapping[str, str | None], incomplete: str) -> Iterator[tuple[str, str]]:
    places = read_places(given)
    with StateReader.open(places.database, patience=_PATIENCE_SECONDS) as reader:
        known = words_beginning(reader, incomplete, _OFFERED)
    told: dict[str, str] = {}
    for word, title in known:
        # Shells take a space for the end of a word.
        if not any(character.isspace() for character in word):
            told.setdefault(word, cut(one_line(title), _TITLE_CELLS))
    yield from told.items()
