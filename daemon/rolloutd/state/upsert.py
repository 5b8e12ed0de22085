"""Insert-or-replace of many rows."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert


class Upsert:
    """INSERT with every column, or UPDATE of all but the key where the key is there already.

    Compiled once, and given to the driver as it is: the backfill writes hundreds of thousands
    of rows, and preparing each anew took as long as SQLite itself.
    """

    def __init__(self, table: Table, getter: Callable[..., Any] | None = itemgetter) -> None:
        """Take a row's values with `itemgetter`, or with `attrgetter` where rows are objects.

        Without either, a row is its values, in the order of the table's columns.
        """
        statement = insert(table)
        keys = [column.name for column in table.primary_key]
        changes = {
            column.name: statement.excluded[column.name]
            for column in table.columns
            if column.name not in keys
        }
        compiled = statement.on_conflict_do_update(index_elements=keys, set_=changes).compile(
            dialect=sqlite.dialect(paramstyle="qmark")
        )
        assert compiled.positiontup is not None
        self._sql = str(compiled)
        assert compiled.positiontup == table.columns.keys()
        self._values = None if getter is None else getter(*compiled.positiontup)

    def __call__(self, connection: Connection, rows: Sequence[Any]) -> None:
        """Write the rows; each has a value for every column."""
        if rows:
            values = rows if self._values is None else map(self._values, rows)
            connection.exec_driver_sql(self._sql, list(values))
