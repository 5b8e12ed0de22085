"""Dynamic tools: `session_meta.dynamic_tools` to rows of `thread_dynamic_tools`."""

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
    schema = compact(_as_codex_writes(msgspec.json.decode(tool.input_schema)))
    return DynamicTool(tool.name, tool.description, schema, deferred, tool.namespace or group)


def _as_codex_writes(value: object) -> object:
    # Integers beyond 64 bits become floats, and floats from 1e16 on show the exponent's sign.
    match value:
        case dict():
            return {key: _as_codex_writes(each) for key, each in value.items()}
        case list():
            return [_as_codex_writes(each) for each in value]
        case bool():
            return value
        case int() if not -(2**63) <= value < 2**64:
            return _as_codex_writes(float(value))
        case float() if abs(value) >= 1e16:
            mantissa, exponent = repr(value).split("e+")
            return Raw(f"{mantissa.removesuffix('.0')}e+{exponent}".encode())
    return value
