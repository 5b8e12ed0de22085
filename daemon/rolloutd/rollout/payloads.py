"""What the lines that can change a row hold, as typed structs.

Fields that no column comes from are here only where Codex refuses the line for a wrong type in
them (0.130.0 and 0.169.0 alike).
"""

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

Count: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
AnyObject: TypeAlias = dict[str, object]


class Unread(Struct):
    """An object of which nothing is kept: Codex refuses another type where it wants one."""


class Git(Struct):
    """`git` of a session_meta."""

    commit_hash: str | None = None
    branch: str | None = None
    repository_url: str | None = None


class SessionMeta(Struct):
    """Payload of a `session_meta`. What is `Raw` is JSON, empty if absent."""

    id: str
    timestamp: str
    cwd: str
    originator: str
    cli_version: str
    source: Raw = Raw(b"")
    thread_source: str | None = None
    history_mode: Raw = Raw(b"")
    model_provider: str | None = None
    agent_nickname: str | None = None
    agent_role: str | UnsetType | None = UNSET
    agent_type: str | UnsetType | None = UNSET  # an older name of agent_role
    agent_path: str | None = None
    memory_mode: str | None = None
    dynamic_tools: Raw = Raw(b"")
    git: Git | None = None
    # Unread:
    base_instructions: Unread | None = None
    forked_from_id: str | None = None


class _CollaborationSettings(Struct):
    model: str


class _CollaborationMode(Struct):
    mode: str
    settings: _CollaborationSettings


class TurnContext(Struct):
    """Payload of a `turn_context`."""

    cwd: str
    approval_policy: Raw
    model: str
    effort: str | None = None
    sandbox_policy: Raw = Raw(b"")
    permission_profile: AnyObject | None = None  # instead of it, from 0.169.0 on
    # Unread:
    turn_id: str | None = None
    summary: str | None = None
    realtime_active: bool | None = None
    file_system_sandbox_policy: Unread | None = None
    collaboration_mode: _CollaborationMode | None = None


class TokenUsage(Struct, gc=False):
    """Token counts."""

    total_tokens: Count
    input_tokens: Count
    cached_input_tokens: Count
    output_tokens: Count
    reasoning_output_tokens: Count


class TokenInfo(Struct, gc=False):
    """`info` of a `token_count`."""

    total_token_usage: TokenUsage
    last_token_usage: TokenUsage
    model_context_window: Count | None = None


class TokenCount(Struct, gc=False):
    """Payload of a `token_count`."""

    type: str = ""
    info: TokenInfo | None = None
    rate_limits: Unread | None = None


class UserMessage(Struct):
    """Payload of a `user_message`."""

    message: str
    images: list[str] | None = None
    local_images: list[str] = []
    audio: list[str] | None = None
    local_audio: list[str] | None = None
    text_elements: list[Unread] = []


class ThreadName(Struct):
    """Payload of a `thread_name_updated`."""

    thread_id: str
    thread_name: str | None = None


class _Goal(Struct):
    objective: str


class ThreadGoal(Struct):
    """Payload of a `thread_goal_updated`."""

    goal: _Goal


class Piece(Struct):
    """One part of a message."""

    type: str
    text: str = ""


class _TurnItem(Struct):
    type: str
    content: list[Piece] = []


class ItemCompleted(Struct):
    """Payload of an `item_completed`, where newer releases keep user messages."""

    item: _TurnItem


class _Settings(Struct):
    model: str
    model_provider_id: str
    approval_policy: Raw
    cwd: str
    permission_profile: AnyObject
    reasoning_effort: str | None = None


class ThreadSettings(Struct):
    """Payload of a `thread_settings_applied`."""

    thread_settings: _Settings


class LegacyHeader(Struct):
    """First line of a rollout of mid-2025 (0.20, 0.28)."""

    id: str
    timestamp: str
    git: Git | None = None


class LegacyMessage(Struct):
    """A bare response item of such a rollout."""

    role: str = ""
    content: list[Piece] = []
