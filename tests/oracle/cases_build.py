"""Builders for the oracle's cases: lines, files, and a home that holds many cases at once.

Text may contain `@id@` (the case's own thread id; `@ID@` in capitals, `@hex@` without hyphens)
and `@other@`, `@third@` (two more): they are replaced, in paths and in bytes, by ids derived from
the case's name.
"""

import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import EllipsisType
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Value: TypeAlias = "Json | EllipsisType"  # `...` leaves the key out

NAMESPACE = uuid.UUID("6f0a4c36-2b1d-5c35-9a55-0d9f6a0f7f11")
NAME = "rollout-2026-01-02T03-04-05-@id@.jsonl"
DAY = "sessions/2026/01/02/"
PATH = DAY + NAME
ARCHIVED = "archived_sessions/" + NAME
STAMP = "2026-01-02T03:04:05.678Z"


@dataclass(frozen=True, slots=True)
class Case:
    """One thread (or none) on disk; what it becomes is for the real Codex to say."""

    name: str
    files: Mapping[str, bytes]
    mtimes_ns: Mapping[str, int]
    why: str


def thread_id(case: str, which: str = "id") -> str:
    """The id that `@id@`, `@other@` or `@third@` stands for in a case."""
    return str(uuid.uuid5(NAMESPACE, case if which == "id" else f"{case}/{which}"))


def mtime_of(case: str, path: str) -> int:
    """A modification time (ns) of 2025 that no other file of the table has."""
    spread = uuid.uuid5(NAMESPACE, f"{case}:{path}").int % 30_000_000_000
    return 1_735_700_000_000_000_000 + spread * 1_000_000 + 987_654


def payload(base: Mapping[str, Json], changes: Mapping[str, Value]) -> dict[str, Json]:
    merged: dict[str, Value] = {**base, **changes}
    return {key: value for key, value in merged.items() if not isinstance(value, EllipsisType)}


def dumps(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def line(kind: Value, body: Value, more: str = "", **top: Value) -> bytes:
    """One record; `more` is raw JSON (`"key":value`) put at the end of its payload."""
    text = dumps(payload({"timestamp": STAMP}, {"type": kind, "payload": body, **top}))
    if more:
        sep = "" if body == {} else ","
        text = text.removesuffix("}}") + sep + more + "}}"
    return text.encode()


def meta(more: str = "", /, **changes: Value) -> bytes:
    """A session_meta of this case's thread, as 0.130.0 writes it."""
    base: dict[str, Json] = {
        "id": "@id@",
        "timestamp": STAMP,
        "cwd": "/work",
        "originator": "codex_cli_rs",
        "cli_version": "0.130.0",
        "source": "cli",
        "model_provider": "openai",
    }
    return line("session_meta", payload(base, changes), more)


def turn(more: str = "", /, **changes: Value) -> bytes:
    """A turn_context, as 0.130.0 writes it."""
    base: dict[str, Json] = {
        "turn_id": "turn-1",
        "cwd": "/work",
        "approval_policy": "never",
        "sandbox_policy": {"type": "danger-full-access"},
        "model": "gpt-5",
        "effort": "high",
        "summary": "auto",
    }
    return line("turn_context", payload(base, changes), more)


def event(kind: Value, more: str = "", /, **fields: Value) -> bytes:
    return line("event_msg", payload({}, {"type": kind, **fields}), more)


def user(message: Value = "hello", more: str = "", /, **fields: Value) -> bytes:
    return event("user_message", more, message=message, **fields)


def named(name: Value, thread: Value = "@id@", **fields: Value) -> bytes:
    return event("thread_name_updated", thread_id=thread, thread_name=name, **fields)


def usage(total: Value, **changes: Value) -> dict[str, Json]:
    base: dict[str, Json] = {
        "input_tokens": 10,
        "cached_input_tokens": 4,
        "output_tokens": 3,
        "reasoning_output_tokens": 1,
    }
    return payload(base, {"total_tokens": total, **changes})


def tokens(total: Value, more: str = "", /, **changes: Value) -> bytes:
    """A token_count; `changes` are made to its total_token_usage."""
    info: dict[str, Json] = {
        "total_token_usage": usage(total, **changes),
        "last_token_usage": usage(7),
        "model_context_window": 1000,
    }
    return event("token_count", more, info=info, rate_limits=None)


def raw(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def rollout(*lines: bytes, end: bytes = b"\n") -> bytes:
    return b"".join(entry + b"\n" for entry in lines[:-1]) + b"".join(lines[-1:]) + end


def fill(name: str, text: bytes) -> bytes:
    """The text with the ids of the case of that name."""
    for which in ("id", "other", "third"):
        own = thread_id(name, which).encode()
        text = text.replace(b"@%s@" % which.encode(), own)
        text = text.replace(b"@%s@" % which.upper().encode(), own.upper())
    return text.replace(b"@hex@", thread_id(name).replace("-", "").encode())


def files(
    name: str, why: str, contents: Mapping[str, bytes], mtimes: Mapping[str, int] | None = None
) -> Case:
    """A case of several files; unless given, the last in byte order is the newest."""
    filled = {fill(name, k.encode()).decode(): fill(name, v) for k, v in contents.items()}
    given = {fill(name, k.encode()).decode(): at for k, at in (mtimes or {}).items()}
    paths = sorted(filled, key=str.encode)
    times = dict(zip(paths, sorted(mtime_of(name, path) for path in paths), strict=True))
    return Case(name, filled, {**times, **given}, why)


def case(name: str, why: str, *lines: bytes, path: str = PATH, mtime: int | None = None) -> Case:
    """A case of one rollout."""
    return files(name, why, {path: rollout(*lines)}, None if mtime is None else {path: mtime})


def write_home(home: Path, cases: Iterable[Case]) -> None:
    """Put every case into one home; `session_index.jsonl` is the sum of the cases'."""
    index = b""
    for each in cases:
        for path, content in each.files.items():
            if path == "session_index.jsonl":
                index += content
                continue
            target = home / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            os.utime(target, ns=(each.mtimes_ns[path], each.mtimes_ns[path]))
    (home / "sessions").mkdir(parents=True, exist_ok=True)
    if index:
        (home / "session_index.jsonl").write_bytes(index)
