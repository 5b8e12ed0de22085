"""Large response items are passed over unseen; nothing else is."""

from pathlib import Path

import pytest

from rolloutd.rollout.items import decode
from rolloutd.rollout.opaque import OPAQUE_BYTES, begins_opaque, is_opaque
from tests.oracle.cases_build import Json, event, line, meta, turn, user
from tests.rollouts import read_lines

LARGE = "x" * OPAQUE_BYTES
MESSAGE: Json = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": LARGE}],
}


def test_a_large_response_item_is_opaque_and_no_item() -> None:
    text = line("response_item", MESSAGE)
    assert _is_opaque(text)
    assert decode(memoryview(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        meta(originator=LARGE),
        turn(user_instructions=LARGE),
        user(LARGE),
        event("agent_message", message=LARGE),
        line("future", {"a": LARGE}),
        line("response_item", MESSAGE)[:-1],
        line("response_item", MESSAGE) + b"\r",
        line("response_item", LARGE),
        b" " + line("response_item", MESSAGE),
    ],
)
def test_whatever_might_matter_is_looked_into(text: bytes) -> None:
    assert not _is_opaque(text)


def test_where_a_line_lies_in_the_buffer_is_no_matter() -> None:
    text = line("response_item", MESSAGE)
    buffer = bytearray(b"before\n" + text + b"\nafter")
    assert is_opaque(buffer, 7, 7 + len(text))
    assert not is_opaque(buffer, 6, 7 + len(text))
    assert not is_opaque(buffer, 7, 8 + len(text))
    assert begins_opaque(buffer[7:], 200)
    assert not begins_opaque(buffer[7:], 33), "too little of it to tell"


def _is_opaque(text: bytes) -> bool:
    return is_opaque(bytearray(text), 0, len(text))


@pytest.mark.parametrize("length", [OPAQUE_BYTES - 200, OPAQUE_BYTES, 3 * OPAQUE_BYTES])
def test_response_items_count_as_items_whatever_their_size(home: Path, length: int) -> None:
    large = line("response_item", {"type": "reasoning", "text": "é" * length})
    summary = read_lines(home, meta(), large, large, user()).summary
    assert (summary.items, summary.lines, summary.parse_errors) == (4, 4, {})


def test_a_large_response_item_alone_is_a_thread_if_the_name_tells_it(home: Path) -> None:
    assert read_lines(home, line("response_item", MESSAGE)).error is None
