"""Insert-or-replace statements, made once for each table."""

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import Insert, insert


def upsert_into(table: Table) -> Insert:
    """INSERT with every column, or UPDATE of all but the key where the key is there already."""
    statement = insert(table)
    keys = [column.name for column in table.primary_key]
    changes = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)
