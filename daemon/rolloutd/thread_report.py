"""Everything that is known of one thread: a document for programs, lines for people."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from sqlite3 import Row
from typing import Any

from rolloutd.listing import is_missing
from rolloutd.lookup import Found
from rolloutd.state.lookups import (
    child_rows,
    file_rows,
    parent_row,
    place_of,
    thread_row,
    tool_rows,
    with_flags,
)
from rolloutd.state.reader import StateReader
from rolloutd.table import cut, one_line
from rolloutd.wording import count_text, path_text, size_text, time_text

_TITLE_CELLS = 60
_MESSAGE_CELLS = 400
_CHILDREN_SHOWN = 20


def thread_document(reader: StateReader, found: Found) -> dict[str, Any] | None:
    """`show --json`; None if nothing is known of the thread here."""
    with reader.at_one_moment():
        row = thread_row(reader, found.id)
        if row is None:
            return None
        home = reader.value("SELECT codex_home FROM home")
        return {
            "thread": with_flags(row),
            "verified": found.problem is None,
            "problem": found.problem,
            "files": [_file(each, home) for each in file_rows(reader, found.id)],
            "tools": [_tool(each) for each in tool_rows(reader, found.id)],
            "parent": _or_none(parent_row(reader, found.id)),
            "children": [dict(child) for child in child_rows(reader, found.id)],
        }


def with_relatives(reader: StateReader, document: dict[str, Any]) -> dict[str, Any]:
    """The document with what the thread's own files do not tell: children, the parent's title."""
    parent = document["parent"]
    if parent is not None:
        place = place_of(reader, parent["id"])
        parent |= {"title": None if place is None else place.title}
    children = child_rows(reader, document["thread"]["id"])
    return document | {"children": [dict(child) for child in children]}


def _or_none(row: Row | None) -> dict[str, Any] | None:
    return None if row is None else dict(row)


def _file(row: Row, home: str) -> dict[str, Any]:
    return with_flags(row) | {"missing": is_missing(f"{home}/{row['path']}")}


def _tool(row: Row) -> dict[str, Any]:
    tool = with_flags(row)
    # What is no JSON is for `verify` to find; here it is told as it is.
    with suppress(ValueError):
        tool["input_schema"] = json.loads(tool["input_schema"])
    return tool


def thread_lines(document: Mapping[str, Any], home: str | None) -> Iterator[str]:
    """The same for people; `home` is the user's own folder."""
    thread = document["thread"]
    yield from _labelled("thread", [thread["id"]])
    if document["problem"] is not None:
        yield from _labelled("unverified", [one_line(document["problem"])])
    yield from _labelled("name", [one_line(thread["name"] or "")])
    yield from _labelled("title", [cut(one_line(thread["title"]), _MESSAGE_CELLS)])
    if thread["title"] != thread["first_user_message"]:
        message = one_line(thread["first_user_message"])
        yield from _labelled("message", [cut(message, _MESSAGE_CELLS)])
    yield from _labelled("state", [_state(thread)])
    yield from _labelled("created", [time_text(thread["created_at_ms"])])
    yield from _labelled("updated", [time_text(thread["updated_at_ms"])])
    yield from _labelled("where", _where(thread, home))
    yield from _labelled("source", [one_line(thread["source"])])
    yield from _labelled("agent", [_words(thread, "agent_nickname", "agent_role", "agent_path")])
    yield from _labelled("codex", [_words(thread, "cli_version", "originator")])
    yield from _labelled("model", [_words(thread, "model", "reasoning_effort", "model_provider")])
    yield from _labelled("policy", [_words(thread, "approval_mode", "sandbox_policy")])
    yield from _labelled("tokens", [count_text(thread["tokens_used"])])
    yield from _labelled("memory", [one_line(thread["memory_mode"])])
    yield from _labelled("tools", [", ".join(map(_tool_name, document["tools"]))])
    yield from _kin_lines(document)
    yield from _labelled("files", [_file_line(each) for each in document["files"]])


def _kin_lines(document: Mapping[str, Any]) -> Iterator[str]:
    parent, children = document["parent"], document["children"]
    if parent is not None:
        yield from _labelled("parent", [_relative(parent)])
    shown = [_relative(child) for child in children[:_CHILDREN_SHOWN]]
    if len(children) > _CHILDREN_SHOWN:
        shown.append(f"and {len(children) - _CHILDREN_SHOWN} more (--json lists them all)")
    yield from _labelled("children", shown)


def _labelled(label: str, texts: Sequence[str]) -> Iterator[str]:
    """The texts below each other, with the label before the first; nothing for empty ones."""
    for text in filter(None, texts):
        yield f"{label:11}{text}"
        label = ""


def _state(thread: Mapping[str, Any]) -> str:
    if not thread["archived"]:
        return "active"
    at = thread["archived_at"]
    return "archived" if at is None else f"archived, {time_text(at * 1000)}"


def _where(thread: Mapping[str, Any], home: str | None) -> list[str]:
    sha = (thread["git_sha"] or "")[:12]
    branch = thread["git_branch"] or ""
    at = " at ".join(filter(None, (branch, sha)))
    git = [at, thread["git_origin_url"] or ""]
    return [one_line(path_text(thread["cwd"], home)), one_line(", ".join(filter(None, git)))]


def _words(thread: Mapping[str, Any], *columns: str) -> str:
    return ", ".join(one_line(thread[column]) for column in columns if thread[column])


def _tool_name(tool: Mapping[str, Any]) -> str:
    name = one_line(tool["name"])
    return f"{one_line(tool['namespace'])}/{name}" if tool["namespace"] else name


def _relative(thread: Mapping[str, Any]) -> str:
    title = thread["title"]
    words = "not in the index" if title is None else cut(one_line(title), _TITLE_CELLS)
    nickname = thread.get("agent_nickname")
    return "  ".join(filter(None, (thread["id"], one_line(nickname or ""), words)))


def _file_line(file: Mapping[str, Any]) -> str:
    if file["missing"]:
        return f"{one_line(file['path'])} (not there)"
    lines = f"{file['lines']} lines"
    if file["parse_errors"]:
        lines += f", {file['parse_errors']} skipped"
    return f"{one_line(file['path'])} ({size_text(file['size'] or 0)}, {lines})"
