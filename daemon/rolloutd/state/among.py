"""Asking for many values at once."""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, bindparam, column, func, select

_encode = msgspec.json.Encoder().encode


def among(asked: ColumnElement[Any], values: str = "values") -> ColumnElement[bool]:
    """Whether a column's value is one of those that the parameter `values` holds; see `listed`.

    However many they are, they are one parameter: of those, SQLite takes a limited number (32,766,
    or fewer). And the statement is the same one whatever they are, so that it is made only once.
    """
    each = func.json_each(bindparam(values)).table_valued(column("value"))
    return asked.in_(select(each.c.value))


def listed(values: Collection[str]) -> str:
    """Values as such a parameter."""
    return _encode(list(values)).decode()
