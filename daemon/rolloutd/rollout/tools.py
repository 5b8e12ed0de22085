"""Dynamic tools: `session_meta.dynamic_tools` to rows of `thread_dynamic_tools`."""

import math
from typing import TypeAlias

import msgspec
from msgspec import Raw, Struct

from rolloutd.records import DynamicTool
from rolloutd.rollout.canonical import compact


class _Tool(Struct, rename="camel"):
    name: str
    description: str
    input_schema: Raw
    defer_loading: bool | None = None
    expose_to_context: bool | None = None
    namespace: str | None = None


class _Namespace(Struct):
    name: str
    tools: list[_Tool]


_Entry: TypeAlias = dict[str, Raw]

_entries = msgspec.json.Decoder(list[_Entry] | None).decode
_raw_list = msgspec.json.Decoder(list[Raw]).decode
_tool = msgspec.json.Decoder(_Tool).decode
_namespace = msgspec.json.Decoder(_Namespace).decode


def dynamic_tools(raw: Raw) -> list[DynamicTool]:
    """The tools that a session_meta declares, in order.

    0.169.0 groups tools in `{"type": "namespace", ...}`; they are listed under its name.

    Raises:
        msgspec.DecodeError, ValueError: the list, or an entry, is not of the right form.
    """
    entries = _entries(raw) if raw else None
    if not entries:
        return []
    tools: list[DynamicTool] = []
    for entry, text in zip(entries, _raw_list(raw), strict=True):
        if bytes(entry.get("type", b"")) == b'"namespace"':
            group = _namespace(text)
            tools += [_record(tool, group.name) for tool in group.tools]
        else:
            tools.append(_record(_tool(text), None))
    return tools


def _record(tool: _Tool, group: str | None) -> DynamicTool:
    deferred = tool.defer_loading
    if deferred is None:
        deferred = tool.expose_to_context is False
    namespace = group if tool.namespace is None else tool.namespace
    schema = _schema_text(tool.input_schema)
    return DynamicTool(tool.name, tool.description, schema, deferred, namespace)


def _schema_text(schema: Raw) -> str:
    import json

    # The standard library's reader, for it shows each number as it is written.
    return compact(json.loads(bytes(schema), parse_int=_integer, parse_float=_float))


def _integer(text: str) -> int | float | Raw:
    # To Codex, what is no integer of 64 bits is a float; so is negative zero.
    value = int(text) if len(text) < 21 else 2**64
    return value if text != "-0" and -(2**63) <= value < 2**64 else _float(text)


def _float(text: str) -> float | Raw:
    value = float(text)
    if math.isinf(value):
        return Raw(text.encode())
    if abs(value) < 1e16:
        return value
    # From here on Codex writes the exponent with its sign.
    mantissa, exponent = repr(value).split("e+")
    return Raw(f"{mantissa.removesuffix('.0')}e+{exponent}".encode())
