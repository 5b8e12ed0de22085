"""What a database of this revision has, and whether it is there.

Columns are lost with what they held; an index can be made again.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias

from rolloutd.state.schema import TABLES, Table

# Asks the database, and returns the rows of the answer.
Ask: TypeAlias = Callable[[str], Iterable[Any]]

_COLUMNS = (
    "SELECT master.name, info.name FROM sqlite_master AS master"
    " JOIN pragma_table_info(master.name) AS info WHERE master.type = 'table'"
)
_INDEXES = "SELECT name FROM sqlite_master WHERE type = 'index'"


def own_columns() -> frozenset[tuple[str, str]]:
    """Tables and their columns that a database of this revision has; others may have added some."""
    return frozenset((table.name, column) for table in TABLES for column in table.columns)


def lost_columns(ask: Ask) -> Iterator[str]:
    """Those that are not there, of tables too that are not."""
    there = {(table, column) for table, column in ask(_COLUMNS)}
    for table, column in sorted(own_columns() - there):
        yield f"{table}.{column}"


def tables_without_an_index(ask: Ask) -> list[Table]:
    """Those of which not all indexes are there."""
    there = {name for (name,) in ask(_INDEXES)}
    return [table for table in TABLES if any(index.name not in there for index in table.indexes)]
