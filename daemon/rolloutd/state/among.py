"""Asking for many values at once."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, column, func, select


def among(asked: ColumnElement[Any], values: Collection[str]) -> ColumnElement[bool]:
    """Whether a column's value is one of these, however many they are.

    They are one parameter: of those, SQLite takes a limited number (32,766, or fewer).
    """
    each = func.json_each(json.dumps(list(values))).table_valued(column("value"))
    return asked.in_(select(each.c.value))
