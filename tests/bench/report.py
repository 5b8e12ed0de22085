"""What the parts say: sections of a table and verdicts, printed, and as one JSON document."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target, what came out, and whether that will do."""

    what: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        """Whether the value is within the target."""
        return self.value <= self.most


@dataclass(slots=True)
class Section:
    """What a part found on one thing that it measured.

    Attributes:
        rows: for people; as many texts as there are `columns`, the first of them a name.
        notes: what has to be known to read the table.
        left_out: of what was not measured, the reason.
        failures: what rolloutd did not do, or not do right.
        figures: the same and more for programs; seconds and bytes.
    """

    part: str
    title: str
    columns: tuple[str, ...] = ()
    rows: list[tuple[str, ...]] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    figures: Mapping[str, object] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """Whether rolloutd did all that it was to do, and met every target."""
        return not self.failures and all(verdict.met for verdict in self.verdicts)


def show(section: Section, console: Console) -> None:
    """Print the table, and what is to be said under it."""
    table = Table(*section.columns, box=SIMPLE, pad_edge=False, collapse_padding=True)
    for column in table.columns:
        column.no_wrap = True
        column.justify = "right" if column is not table.columns[0] else "left"
    for row in section.rows:
        table.add_row(*row)
    console.print(f"{section.part}: {section.title}", style="bold", highlight=False, markup=False)
    if section.rows:
        console.print(table)
    for note in section.notes:
        console.print(f"  {note}", markup=False)
    for name, reason in section.left_out.items():
        console.print(f"  [yellow]left out[/] {name}: ", end="")
        console.print(reason, markup=False)
    for failure in section.failures:
        console.print("  [red]FAIL[/] ", end="")
        console.print(failure, markup=False)
    for verdict in section.verdicts:
        word = "[green]pass[/]" if verdict.met else "[red]FAIL[/]"
        console.print(f"  {word} {verdict.what}: {verdict.value:.3g}, at most {verdict.most:.3g}")
    console.print()


def document(sections: Sequence[Section]) -> Mapping[str, object]:
    """Return everything as one JSON document; seconds and bytes unless a name says otherwise."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {
            "system": platform.platform(),
            "cpus": os.cpu_count(),
            "memory": memory,
            "python": platform.python_version(),
        },
        "good": all(section.good for section in sections),
        "sections": [_section(section) for section in sections],
    }


def _section(section: Section) -> Mapping[str, object]:
    return {
        "part": section.part,
        "title": section.title,
        "targets": [{**asdict(verdict), "met": verdict.met} for verdict in section.verdicts],
        "failures": section.failures,
        "left_out": section.left_out,
        "figures": section.figures,
    }
