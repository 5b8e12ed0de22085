"""The fold: a summary and one more item make a summary.

The rules are those of rollouts.md, "The summary of one file". Items that contradict themselves
(a source that is no source, ...) raise `InvalidLine` before anything of the summary changes: in
each function here, whatever may raise comes before the first change.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from rolloutd.records import Summary
from rolloutd.rollout.canonical import absolute_path, approval_text, sandbox_text, source_text
from rolloutd.rollout.items import InvalidLine, Item, LineError
from rolloutd.rollout.names import identity_from_name, parse_thread_id
from rolloutd.rollout.payloads import (
    Git,
    ItemCompleted,
    LegacyHeader,
    LegacyMessage,
    Piece,
    SessionMeta,
    ThreadGoal,
    ThreadName,
    ThreadSettings,
    TokenCount,
    TurnContext,
    UserMessage,
)
from rolloutd.rollout.profile import profile_text
from rolloutd.rollout.text import trim
from rolloutd.rollout.timestamps import parse_timestamp
from rolloutd.rollout.tools import dynamic_tools

_REQUEST_MARK = "## My request for Codex:"
_USUAL_BYTES = 1024
_IMAGE, _AUDIO = "[Image]", "[Audio]"
_IMAGES = frozenset({"image", "local_image", "input_image"})
_SOUNDS = frozenset({"audio", "local_audio"})
_INJECTED = ("<environment_context>", "<user_instructions>", "# AGENTS.md")


def new_summary(watermark: str) -> Summary:
    """The summary before the first line: only what the file's name says."""
    identity = identity_from_name(watermark)
    if identity is None:
        return Summary()
    thread_id, created_at_ms = identity
    return Summary(thread_id=thread_id, created_at_ms=created_at_ms)


def fold(summary: Summary, item: Item) -> None:
    """Let one item change the summary.

    Raises:
        InvalidLine: the item's values are not such as Codex would take; nothing has changed.
    """
    try:
        _FOLDS[type(item)](summary, item)
    except RecursionError as error:
        raise InvalidLine(LineError.DEPTH) from error
    except ValueError as error:
        raise InvalidLine(LineError.FIELDS) from error


def _token_count(summary: Summary, item: TokenCount) -> None:
    if item.info is not None:
        summary.tokens_used = max(0, item.info.total_token_usage.total_tokens)


def _said(summary: Summary, item: UserMessage) -> None:
    _user_message(summary, item.message, _attached(item))


def is_said_by_user(item: UserMessage | ItemCompleted) -> bool:
    """Whether this is a message of the user's; anything may be completed."""
    return isinstance(item, UserMessage) or item.item.type == "UserMessage"


def _item_completed(summary: Summary, item: ItemCompleted) -> None:
    if is_said_by_user(item):
        _user_pieces(summary, item)


def _thread_goal(summary: Summary, item: ThreadGoal) -> None:
    if summary.first_user_message is None and not summary.goal:
        summary.goal = trim(item.goal.objective)


def _session_meta(summary: Summary, meta: SessionMeta) -> None:
    thread_id = parse_thread_id(meta.id)
    if thread_id is None or (meta.agent_role is not UNSET and meta.agent_type is not UNSET):
        raise InvalidLine(LineError.FIELDS)
    source, parent = _source(meta.source)
    tools = dynamic_tools(meta.dynamic_tools)
    if meta.memory_mode is not None:
        summary.memory_mode = meta.memory_mode
    if not summary.identified:
        summary.identified = True
        created_at_ms = parse_timestamp(meta.timestamp)
        if created_at_ms is not None:
            summary.thread_id, summary.created_at_ms = thread_id, created_at_ms
            summary.history_mode = _history_mode(meta.history_mode)
        if thread_id == summary.thread_id:
            summary.dynamic_tools = tools
    if thread_id != summary.thread_id:
        return  # A fork embeds the session_meta of the thread it began as.
    summary.source, summary.parent_thread_id = source, parent
    summary.thread_source = meta.thread_source
    summary.agent_nickname = meta.agent_nickname
    role = meta.agent_type if meta.agent_role is UNSET else meta.agent_role
    summary.agent_role = None if role is UNSET else role
    summary.agent_path = meta.agent_path
    summary.originator = summary.originator or meta.originator or None
    summary.cli_version = meta.cli_version or summary.cli_version
    summary.cwd = meta.cwd or summary.cwd
    if meta.model_provider is not None:
        summary.model_provider = meta.model_provider
    if meta.git is not None:
        _git(summary, meta.git)


def _source(raw: Raw) -> tuple[str, str | None]:
    return source_text(msgspec.json.decode(raw)) if raw else ("vscode", None)


def _history_mode(raw: Raw) -> str:
    if not raw:
        return "legacy"
    try:
        return msgspec.json.decode(raw, type=str) or "legacy"
    except ValueError:  # no text
        return "legacy"


def _git(summary: Summary, git: Git) -> None:
    summary.git_sha = git.commit_hash
    summary.git_branch = git.branch
    summary.git_origin_url = git.repository_url


def _turn_context(summary: Summary, turn: TurnContext) -> None:
    sandbox = _sandbox(turn)
    approval = approval_text(msgspec.json.decode(turn.approval_policy))
    if turn.effort == "":
        raise InvalidLine(LineError.FIELDS)
    summary.sandbox_policy, summary.approval_mode = sandbox, approval
    summary.model, summary.reasoning_effort = turn.model, turn.effort
    summary.turn_cwd = summary.turn_cwd or turn.cwd


def _sandbox(turn: TurnContext) -> str:
    # Newer releases write a permission profile instead, and store that.
    if not turn.sandbox_policy and turn.permission_profile is not None:
        return profile_text(turn.permission_profile)
    raw = bytes(turn.sandbox_policy)
    return _sandbox_of(raw) if len(raw) > _USUAL_BYTES else _usual_sandbox(raw)


def _sandbox_of(raw: bytes) -> str:
    return sandbox_text(msgspec.json.decode(raw))


# Nearly all turns of all threads have one of a few policies.
_usual_sandbox = lru_cache(maxsize=64)(_sandbox_of)


def _thread_settings(summary: Summary, item: ThreadSettings) -> None:
    settings = item.thread_settings
    approval = approval_text(msgspec.json.decode(settings.approval_policy))
    sandbox = profile_text(settings.permission_profile)
    cwd = absolute_path(settings.cwd)
    summary.approval_mode = approval
    # A turn_context says it in the words that all releases share.
    summary.sandbox_policy = summary.sandbox_policy or sandbox
    summary.model, summary.reasoning_effort = settings.model, settings.reasoning_effort
    summary.model_provider = settings.model_provider_id
    summary.cwd = cwd


def _user_pieces(summary: Summary, item: ItemCompleted) -> None:
    pieces = item.item.content
    text = "".join(piece.text for piece in pieces if piece.type == "text")
    _user_message(summary, text, _attached_pieces(pieces))


def _attached(item: UserMessage) -> str:
    if item.images or item.local_images:
        return _IMAGE
    return _AUDIO if item.audio or item.local_audio else ""


def _attached_pieces(pieces: Iterable[Piece]) -> str:
    kinds = {piece.type for piece in pieces}
    if not kinds.isdisjoint(_IMAGES):
        return _IMAGE
    return "" if kinds.isdisjoint(_SOUNDS) else _AUDIO


def _user_message(summary: Summary, message: str, attached: str) -> None:
    # What is attached stands in where there are no words; it never names the thread.
    _, mark, request = message.partition(_REQUEST_MARK)
    text = trim(request if mark else message)
    summary.has_user_event = True
    first = text or attached
    if summary.first_user_message is None and first:
        summary.first_user_message = first
        summary.is_titled = bool(text)
    elif not summary.is_titled:
        summary.title = summary.title or text


def _thread_name(summary: Summary, item: ThreadName) -> None:
    name = trim(item.thread_name or "")
    summary.name = name or None
    summary.renamed = name or summary.renamed


def _legacy_header(summary: Summary, header: LegacyHeader) -> None:
    thread_id = parse_thread_id(header.id)
    if thread_id is None:
        raise InvalidLine(LineError.FIELDS)
    summary.legacy = summary.identified = True
    created_at_ms = parse_timestamp(header.timestamp)
    if created_at_ms is not None:
        summary.thread_id, summary.created_at_ms = thread_id, created_at_ms
    if header.git is not None:
        _git(summary, header.git)


def _legacy_message(summary: Summary, message: LegacyMessage) -> None:
    if message.role != "user":
        return
    text = "".join(piece.text for piece in message.content if piece.type == "input_text")
    if not text.lstrip().startswith(_INJECTED):
        _user_message(summary, text, _attached_pieces(message.content))


_FOLDS: dict[type[Item], Callable[[Summary, Any], None]] = {
    TokenCount: _token_count,
    TurnContext: _turn_context,
    SessionMeta: _session_meta,
    UserMessage: _said,
    ItemCompleted: _item_completed,
    ThreadGoal: _thread_goal,
    ThreadName: _thread_name,
    ThreadSettings: _thread_settings,
    LegacyHeader: _legacy_header,
    LegacyMessage: _legacy_message,
}
