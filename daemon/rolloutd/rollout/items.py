"""From one line to one item, as typed structs.

Most bytes of a rollout are response items, which never change a row: they are checked to be
JSON of the right shape while being passed over, and no object is made of their content.
"""

from enum import StrEnum
from typing import Annotated, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.json import Decoder

_T = TypeVar("_T")


class LineError(StrEnum):
    """Why a line was skipped."""

    UTF8 = "invalid_utf8"
    JSON = "invalid_json"
    DEPTH = "nested_too_deep"
    OVERSIZED = "oversized"
    SHAPE = "not_an_item"
    FIELDS = "invalid_fields"


class InvalidLine(Exception):
    """A line that is not an item; `reason` says why."""

    def __init__(self, reason: LineError) -> None:
        super().__init__(reason.value)
        self.reason = reason


Count: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
AnyObject: TypeAlias = dict[str, object]


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
    agent_role: str | None | UnsetType = UNSET
    agent_type: str | None | UnsetType = UNSET  # an older name of agent_role
    agent_path: str | None = None
    memory_mode: str | None = None
    dynamic_tools: Raw = Raw(b"")
    git: Git | None = None


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
    # No column comes from these, but with a wrong type in them Codex refuses the whole.
    turn_id: str | None = None
    summary: str | None = None
    realtime_active: bool | None = None
    file_system_sandbox_policy: AnyObject | None = None
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


class TokenCount(Struct, gc=False):
    """Payload of a `token_count`."""

    info: TokenInfo | None = None


class UserMessage(Struct):
    """Payload of a `user_message`."""

    message: str
    images: list[str] | None = None
    local_images: list[str] = []


class ThreadName(Struct):
    """Payload of a `thread_name_updated`."""

    thread_id: str
    thread_name: str | None = None


class _Goal(Struct):
    objective: str


class ThreadGoal(Struct):
    """Payload of a `thread_goal_updated`."""

    goal: _Goal


class _Piece(Struct):
    type: str
    text: str = ""


class _TurnItem(Struct):
    type: str
    content: list[_Piece] = []


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
    content: list[_Piece] = []


Item: TypeAlias = (
    SessionMeta
    | TurnContext
    | TokenCount
    | UserMessage
    | ThreadName
    | ThreadGoal
    | ItemCompleted
    | ThreadSettings
    | LegacyHeader
    | LegacyMessage
)


class _Kind(Struct, gc=False):
    type: str = ""


class _Probe(Struct, gc=False):
    timestamp: str
    type: str
    payload: _Kind


class _Envelope(Struct, gc=False):
    timestamp: str
    type: str
    payload: Raw


class _Line(Struct, Generic[_T]):
    payload: _T


class _Bare(Struct):
    type: str = ""
    record_type: str = ""


_probe = Decoder(_Probe).decode
_envelope = Decoder(_Envelope).decode
_bare = Decoder(_Bare).decode
_legacy_header = Decoder(LegacyHeader).decode
_legacy_message = Decoder(LegacyMessage).decode

# Item types by the line's type; events by the payload's.
_LINES = {
    "session_meta": Decoder(_Line[SessionMeta]).decode,
    "turn_context": Decoder(_Line[TurnContext]).decode,
}
_EVENTS = {
    "token_count": Decoder(_Line[TokenCount]).decode,
    "user_message": Decoder(_Line[UserMessage]).decode,
    "thread_name_updated": Decoder(_Line[ThreadName]).decode,
    "thread_goal_updated": Decoder(_Line[ThreadGoal]).decode,
    "item_completed": Decoder(_Line[ItemCompleted]).decode,
    "thread_settings_applied": Decoder(_Line[ThreadSettings]).decode,
}
_KNOWN_TYPES = frozenset({"response_item", "event_msg", "compacted", *_LINES})


def decode(line: memoryview) -> Item | None:
    """The item in a line; None if it is one that no row depends on.

    Raises:
        InvalidLine: not an item, or one whose fields are missing or of a wrong type.
    """
    try:
        probe = _probe(line)
        kind = probe.type
        if kind == "response_item":
            return None
        read = _EVENTS.get(probe.payload.type) if kind == "event_msg" else _LINES.get(kind)
        return None if read is None else read(line).payload
    except msgspec.ValidationError:
        return _decode_unusual(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidLine(_reason(error)) from error


def _decode_unusual(line: memoryview) -> None:
    # A type that we do not know may have any payload; all else should have fitted.
    try:
        kind = _envelope(line).type
    except msgspec.ValidationError as error:
        raise InvalidLine(LineError.SHAPE) from error
    if kind in _KNOWN_TYPES:
        raise InvalidLine(LineError.FIELDS)


def decode_legacy_header(line: memoryview) -> LegacyHeader | None:
    """The bare header that begins a rollout of mid-2025, if that is what this line is."""
    try:
        return None if _bare(line).type else _legacy_header(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_legacy(line: memoryview) -> LegacyMessage | None:
    """The message in a line of a rollout of mid-2025; None for its other items.

    Raises:
        InvalidLine: no bare item.
    """
    try:
        kind = _bare(line)
        if kind.type == "message":
            return _legacy_message(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidLine(_reason(error)) from error
    if not kind.type and not kind.record_type:
        raise InvalidLine(LineError.SHAPE)
    return None


def _reason(error: Exception) -> LineError:
    if isinstance(error, RecursionError):
        return LineError.DEPTH
    if isinstance(error, UnicodeDecodeError):
        return LineError.UTF8
    return LineError.FIELDS if isinstance(error, msgspec.ValidationError) else LineError.JSON


def is_utf8(line: memoryview) -> bool:
    """Whether the bytes are valid UTF-8 throughout (the decoder looks at what it keeps only)."""
    try:
        str(line, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def is_blank(line: memoryview) -> bool:
    """Whether there is nothing but white space in the line."""
    return not bytes(line).strip()
