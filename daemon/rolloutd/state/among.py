"""Asking for many values at once."""

from collections.abc import Collection

import msgspec

_encode = msgspec.json.Encoder().encode


def among(column: str, values: str = "values") -> str:
    """The condition that a column's value is one of those of a parameter; see `listed`.

    However many they are, they are one parameter: of those, SQLite takes a limited number (32,766,
    or fewer). And the statement is the same one whatever they are, so that it is made only once.
    """
    return f"{column} IN (SELECT value FROM json_each(:{values}))"  # noqa: S608


def listed(values: Collection[str]) -> str:
    """Values as such a parameter."""
    return _encode(list(values)).decode()
