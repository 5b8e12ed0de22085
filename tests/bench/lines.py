"""Lines of a rollout as 0.130.0 spells them, without their timestamp: it differs each time."""

from __future__ import annotations

import json
import time

Tail = bytes
"""A line from after its timestamp to its newline."""


def stamped(second: bytes, millisecond: int, tail: Tail) -> bytes:
    """Return the whole line; `second` is a time up to its seconds, in UTC."""
    return b'{"timestamp":"%s.%03dZ",%s' % (second, millisecond, tail)


def line_now(tail: Tail) -> bytes:
    """Return the whole line, of the present."""
    now = time.time_ns() // 1_000_000
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1000)).encode()
    return stamped(second, now % 1000, tail)


STAMP = len(stamped(b"2025-06-01T00:00:00", 0, b""))
"""Bytes of a line before its tail."""


def record(kind: str, payload: object) -> Tail:
    """Return a line of any type."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return f'"type":"{kind}","payload":{text}}}\n'.encode()


def event(kind: str, **fields: object) -> Tail:
    """Return an event_msg."""
    return record("event_msg", {"type": kind, **fields})


def item(kind: str, **fields: object) -> Tail:
    """Return a response_item."""
    return record("response_item", {"type": kind, **fields})


def message(role: str, *texts: str) -> dict[str, object]:
    """Return the fields of a message of the user or the developer."""
    return {"role": role, "content": [{"type": "input_text", "text": text} for text in texts]}


def turn_context(turn: str, cwd: str, effort: str) -> Tail:
    """Return the turn_context of one turn."""
    settings = {"model": "gpt-5.5", "reasoning_effort": effort, "developer_instructions": None}
    context = {
        "turn_id": turn,
        "cwd": cwd,
        "current_date": "2026-05-08",
        "timezone": "Etc/UTC",
        "approval_policy": "on-request",
        "sandbox_policy": {"type": "workspace-write", "network_access": False},
        "model": "gpt-5.5",
        "personality": "pragmatic",
        "collaboration_mode": {"mode": "default", "settings": settings},
        "realtime_active": False,
        "effort": effort,
        "summary": "auto",
        "user_instructions": "# Rules of this project\n" + "Keep it simple, test it.\n" * 40,
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
    }
    return record("turn_context", context)


def token_count(total: int) -> Tail:
    """Return a token_count event; `total` is what the whole thread has used."""
    usage = {
        "input_tokens": total - total // 50,
        "cached_input_tokens": total // 2,
        "output_tokens": total // 50,
        "reasoning_output_tokens": total // 90,
        "total_tokens": total,
    }
    window = {"used_percent": 12.0, "window_minutes": 300, "resets_at": 1_778_250_000}
    limits = {"limit_id": "codex", "primary": window, "secondary": window, "plan_type": "pro"}
    info = {"total_token_usage": usage, "last_token_usage": usage, "model_context_window": 258_400}
    return event("token_count", info=info, rate_limits=limits)
