"""From one line to one item.

Most bytes of a rollout are response items, which never change a row: they are checked to be
JSON of the right shape while being passed over, and no object is made of their content.
"""

from codecs import utf_8_decode
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from rolloutd.rollout.payloads import (
    ItemCompleted,
    LegacyHeader,
    LegacyMessage,
    SessionMeta,
    ThreadGoal,
    ThreadName,
    ThreadSettings,
    TokenCount,
    TurnContext,
    UserMessage,
)

_P_co = TypeVar("_P_co", covariant=True)


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


class Outline(Struct, gc=False):
    """A line that is plainly an item: what it is, and what it holds if it is a `token_count`."""

    timestamp: str
    type: str
    payload: TokenCount


class _Envelope(Struct, gc=False):
    timestamp: str
    type: str
    payload: Raw


class _Line(Struct, Generic[_P_co]):
    payload: _P_co


class _Bare(Struct):
    type: str = ""
    record_type: str = ""


Text: TypeAlias = bytes | memoryview
_Decode: TypeAlias = Callable[[Text], "_Line[Item]"]

# Where a few characters are not ASCII, most pieces of this size have none.
_PIECE_BYTES = 2048

_probe = Decoder(_Probe).decode
_outlines = Decoder(Outline).decode_lines
_envelope = Decoder(_Envelope).decode
_kind = Decoder(_Kind).decode
_bare = Decoder(_Bare).decode
_legacy_header = Decoder(LegacyHeader).decode
_legacy_message = Decoder(LegacyMessage).decode

_read_tokens: _Decode = Decoder(_Line[TokenCount]).decode

# Item types by the line's type; events by the payload's.
_LINES: dict[str, _Decode] = {
    "session_meta": Decoder(_Line[SessionMeta]).decode,
    "turn_context": Decoder(_Line[TurnContext]).decode,
}
_EVENTS: dict[str, _Decode] = {
    "token_count": _read_tokens,
    "user_message": Decoder(_Line[UserMessage]).decode,
    "thread_name_updated": Decoder(_Line[ThreadName]).decode,
    "thread_goal_updated": Decoder(_Line[ThreadGoal]).decode,
    "item_completed": Decoder(_Line[ItemCompleted]).decode,
    "thread_settings_applied": Decoder(_Line[ThreadSettings]).decode,
}
_KNOWN_TYPES = frozenset({"response_item", "event_msg", "compacted", *_LINES})


def outlines(text: Text, count: int) -> list[Outline] | None:
    """What each of `count` lines is, seen in one go; None if they have to be taken one by one.

    Each must begin with `{` and end with `}`: within JSON no newline can stand between those, so
    each line holds at least one value, and if there are `count` of them, just one.
    """
    try:
        found = _outlines(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if len(found) == count else None


def relevant(found: Iterable[Outline]) -> Iterator[tuple[int, Outline]]:
    """Those lines, by their number, on which a row may depend; of totals of tokens the last."""
    last = None
    for number, outline in enumerate(found):
        kind = outline.type
        if kind == "event_msg":
            event = outline.payload.type
            if event == "token_count":
                if outline.payload.info is not None:
                    last = number, outline
            elif event in _EVENTS:
                yield number, outline
        elif kind in _LINES:
            yield number, outline
    if last is not None:
        yield last


def decode(line: Text, outline: Outline | None = None) -> Item | None:
    """The item in a line; None if it is one that no row depends on.

    `outline` is what is known of it already.

    Raises:
        InvalidLine: not an item, or one whose fields are missing or of a wrong type.
    """
    try:
        try:
            probe = _probe(line) if outline is None else outline
            if probe.type == "response_item":
                return None
            read = _reader_of(probe.type, probe.payload)
            if outline is not None and read is _read_tokens:
                return outline.payload
            return None if read is None else read(line).payload
        except msgspec.ValidationError:
            return _decode_unusual(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidLine(_reason(error)) from error


def _reader_of(kind: str, payload: _Kind | TokenCount) -> _Decode | None:
    return _EVENTS.get(payload.type) if kind == "event_msg" else _LINES.get(kind)


def _decode_unusual(line: Text) -> Item | None:
    # A type that we do not know may have any payload. Of a payload that is there twice the last
    # one counts, but the first one was tried.
    try:
        envelope = _envelope(line)
    except msgspec.ValidationError as error:
        raise InvalidLine(LineError.SHAPE) from error
    if envelope.type not in _KNOWN_TYPES:
        return None
    read = _reader_of(envelope.type, _kind(envelope.payload))
    return None if read is None else read(b'{"payload":%b}' % envelope.payload).payload


def decode_legacy_header(line: Text) -> LegacyHeader | None:
    """The bare header that begins a rollout of mid-2025, if that is what this line is."""
    try:
        return None if _bare(line).type else _legacy_header(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_legacy(line: Text) -> LegacyMessage | None:
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


def refuse_invalid_utf8(line: Text) -> None:
    """See that all of a line is UTF-8; the decoder looks at what it keeps only.

    Raises:
        InvalidLine: it is not.
    """
    if isinstance(line, bytes) and line.isascii():
        return
    start, size = 0, len(line)
    try:
        while start < size:
            end = start + _PIECE_BYTES
            piece = bytes(line[start:end])
            start = end if piece.isascii() else start + utf_8_decode(piece, None, end >= size)[1]
    except UnicodeDecodeError as error:
        raise InvalidLine(LineError.UTF8) from error


def is_blank(line: Text) -> bool:
    """Whether there is nothing but white space in the line."""
    return not bytes(line).strip()
