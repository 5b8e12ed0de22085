"""From a line to an item, or to the reason why it is none."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout.items import (
    InvalidLine,
    LineError,
    decode,
    decode_legacy,
    decode_legacy_header,
    is_blank,
    refuse_invalid_utf8,
)
from rolloutd.rollout.payloads import (
    ItemCompleted,
    LegacyMessage,
    SessionMeta,
    ThreadGoal,
    ThreadName,
    ThreadSettings,
    TokenCount,
    TurnContext,
    UserMessage,
)
from tests.oracle.cases_build import event, line, meta, named, tokens, turn, user
from tests.rollouts import HEADER_020, applied, goal

ITEMS: list[tuple[bytes, type | None]] = [
    (meta(), SessionMeta),
    (turn(), TurnContext),
    (tokens(1), TokenCount),
    (user(), UserMessage),
    (named("n"), ThreadName),
    (goal("o"), ThreadGoal),
    (event("item_completed", item={"type": "UserMessage", "content": []}), ItemCompleted),
    (applied(), ThreadSettings),
    (line("response_item", {"type": "message", "role": "user", "content": []}), type(None)),
    (line("response_item", {}), type(None)),
    (line("compacted", {"message": "m"}), type(None)),
    (line("world_state", {"full": True}), type(None)),
    (line("future", [1]), type(None)),
    (event("future"), type(None)),
    (event("agent_message", message=1), type(None)),
]
# Every JSON value, as hypothesis makes them.
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda values: (
        st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=4), values, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(("text", "kind"), ITEMS)
def test_what_each_line_is(text: bytes, kind: type) -> None:
    assert type(decode(memoryview(text))) is kind


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", LineError.JSON),
        (b"x", LineError.JSON),
        (b'{"timestamp":"', LineError.JSON),
        (meta() + b"x", LineError.JSON),
        (b"{}", LineError.SHAPE),
        (b"null", LineError.SHAPE),
        (line(..., {}), LineError.SHAPE),
        (line(None, {}), LineError.SHAPE),
        (line("event_msg", ...), LineError.SHAPE),
        (line("event_msg", {"type": "x"}, timestamp=...), LineError.SHAPE),
        (line("event_msg", {"type": "x"}, timestamp=1), LineError.SHAPE),
        (line("event_msg", None), LineError.FIELDS),
        (line("event_msg", []), LineError.FIELDS),
        (line("response_item", "x"), LineError.FIELDS),
        (line("session_meta", {}), LineError.FIELDS),
        (meta(cwd=None), LineError.FIELDS),
        (turn(model=...), LineError.FIELDS),
        (user(None), LineError.FIELDS),
        (user("x", images=[1]), LineError.FIELDS),
        (user("x", local_images=None), LineError.FIELDS),
        (tokens("1"), LineError.FIELDS),
        (b"[" * 5000, LineError.SHAPE),
        (event("x", '"a":' + "[" * 5000 + "]" * 5000), LineError.DEPTH),
    ],
)
def test_why_a_line_is_none(text: bytes, reason: LineError) -> None:
    with pytest.raises(InvalidLine) as raised:
        decode(memoryview(text))
    assert raised.value.reason is reason


@pytest.mark.parametrize("field", ["id", "timestamp", "cwd", "originator", "cli_version"])
@pytest.mark.parametrize("value", [..., None, 1, True, [], {}], ids=repr)
def test_what_a_session_meta_must_have(field: str, value: None) -> None:
    with pytest.raises(InvalidLine):
        decode(memoryview(meta(**{field: value})))


@pytest.mark.parametrize(
    "field",
    [
        "total_tokens",
        "input_tokens",
        "cached_input_tokens",
        "output_tokens",
        "reasoning_output_tokens",
    ],
)
@pytest.mark.parametrize("value", [..., None, "1", 1.0, True, 2**63, -(2**63) - 1], ids=repr)
def test_token_counts_are_64_bit_integers_all_of_them(field: str, value: int) -> None:
    with pytest.raises(InvalidLine):
        decode(memoryview(tokens(1, **{field: value})))


def reason_of(read: Callable[[memoryview], object], text: bytes) -> LineError | None:
    """Why the line is no item; None if it is one. Nothing else may be raised."""
    try:
        read(memoryview(text))
    except InvalidLine as invalid:
        return invalid.reason
    return None


@given(st.binary(max_size=60))
def test_any_bytes_are_an_item_or_invalid(text: bytes) -> None:
    for read in (decode, decode_legacy):
        assert reason_of(read, text) in {None, *LineError}
    decode_legacy_header(memoryview(text))


@given(
    st.sampled_from(["session_meta", "turn_context", "event_msg", "response_item", "compacted"]),
    st.sampled_from(["token_count", "user_message", "item_completed", "thread_settings_applied"]),
    JSON,
)
def test_any_json_in_the_payload_is_an_item_or_invalid(
    kind: str, inner: str, value: object
) -> None:
    body = {"type": inner, **value} if isinstance(value, dict) else value
    text = json.dumps({"timestamp": "", "type": kind, "payload": body}).encode()
    assert reason_of(decode, text) in {None, LineError.FIELDS, LineError.JSON}


@given(JSON)
def test_a_response_item_may_hold_anything(value: object) -> None:
    text = json.dumps({"timestamp": "", "type": "response_item", "payload": {"x": value}})
    assert decode(memoryview(text.encode())) is None


def test_legacy_lines() -> None:
    header = decode_legacy_header(memoryview(HEADER_020))
    assert header is not None
    assert header.git is not None
    assert header.git.branch == "main"
    message = decode_legacy(
        memoryview(b'{"type":"message","role":"user","content":[{"type":"input_text","text":"x"}]}')
    )
    assert isinstance(message, LegacyMessage)
    assert decode_legacy(memoryview(b'{"record_type":"state"}')) is None
    assert decode_legacy(memoryview(b'{"type":"reasoning","summary":[]}')) is None
    with pytest.raises(InvalidLine):
        decode_legacy(memoryview(b"{}"))


@pytest.mark.parametrize("text", [meta(), b"{}", b"[]", b"null", b'{"id":1,"timestamp":"x"}'])
def test_other_lines_are_no_legacy_header(text: bytes) -> None:
    assert decode_legacy_header(memoryview(text)) is None


def test_blank_lines() -> None:
    assert is_blank(memoryview(b""))
    assert is_blank(memoryview(b" \t\r"))
    assert not is_blank(memoryview(b"\xc2\xa0"))
    assert not is_blank(memoryview(b"\0"))


def is_refused(text: bytes) -> bool:
    try:
        refuse_invalid_utf8(memoryview(text))
    except InvalidLine:
        return True
    return False


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.binary(max_size=20))
def test_utf8_is_what_python_decodes(text: bytes) -> None:
    assert is_refused(text) == (not is_utf8(text))


@pytest.mark.parametrize("border", [4096, 65_536, 1 << 20])
def test_characters_across_any_border_of_a_long_line_are_utf8(border: int) -> None:
    for shift in range(1, 5):
        assert not is_refused(b"x" * (border - shift) + "😀😀".encode() + b"x" * border)
    assert is_refused(b"x" * (border - 1) + "😀".encode()[:3])
