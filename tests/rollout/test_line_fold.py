"""Lines folded many at once mean what they mean one by one."""

from hypothesis import example, given
from hypothesis import strategies as st

from rolloutd.records import Summary
from rolloutd.rollout.fold import fold
from rolloutd.rollout.items import InvalidLine, decode, is_blank, refuse_invalid_utf8
from rolloutd.rollout.line_fold import fold_lines
from rolloutd.rollout.lines import LineReader
from tests.oracle.cases_build import event, line, meta, named, tokens, turn, user
from tests.rollout.test_lines import Trickle

PLAIN = [
    meta(),
    meta(id="00000000-0000-4000-8000-000000000009"),
    turn(),
    turn(model="other"),
    user("one"),
    user("zwei ü"),
    tokens(1),
    tokens(2),
    tokens(-3),
    named("name"),
    event("token_count", info=None),
    event("agent_message", message="}\\n{", info=7),
    line("response_item", {"type": "message", "role": "user"}),
    line("future", {"a": 1}),
]
UNUSUAL = [
    b"",
    b" ",
    b"x",
    b"}",
    b"{",
    b"{}",
    b"}{",
    tokens("1"),
    meta(cwd=None),
    turn(effort=""),
    user("x")[:-1],
    user("x") + tokens(4),
    user("x") + b" " + tokens(5),
    user("x") + b"\r",
    b" " + tokens(6),
    tokens(7).replace(b"{", b"{\n", 1),
    user("x").replace(b"x", b"\xff"),
    event("agent_message", message="x", info=7),
    event("token_count", info=None, rate_limits=1),
    line("event_msg", [1]),
    line("future", "text"),
    b'{"timestamp":"","type":"event_msg","payload":{"type":"x"},"payload":{"type":"token_count"}}',
]
LINES = st.lists(st.sampled_from(PLAIN) | st.sampled_from(PLAIN + UNUSUAL), max_size=12)


def one_by_one(stream: bytes) -> Summary:
    summary = Summary()
    for text in stream.split(b"\n")[:-1]:
        summary.lines += 1
        try:
            refuse_invalid_utf8(memoryview(text))
            item = decode(memoryview(text))
            if item is not None:
                fold(summary, item)
            summary.items += 1
        except InvalidLine as invalid:
            if not is_blank(memoryview(text)):
                errors = summary.parse_errors
                errors[invalid.reason] = errors.get(invalid.reason, 0) + 1
    return summary


@given(LINES, st.sampled_from([50, 300, 1000, 100_000]))
@example([user("x") + tokens(4), tokens(7).replace(b"{", b"{\n", 1)], 100_000)
def test_lines_at_once_are_lines_one_by_one(lines: list[bytes], buffer_bytes: int) -> None:
    stream = b"".join(text + b"\n" for text in lines)
    summary = Summary()
    fold_lines(LineReader(Trickle(stream), buffer_bytes=buffer_bytes), summary)
    assert summary == one_by_one(stream)
