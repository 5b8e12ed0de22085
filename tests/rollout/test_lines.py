"""Lines out of bytes: split on the newline byte alone, in bounded memory."""

import tracemalloc
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout.lines import LINE_LIMIT_BYTES, LineReader

BOM = b"\xef\xbb\xbf"
MIB = 1024 * 1024

PIECES = [b"\n", b"\n", b"\r\n", b"\r", b"\0", b"\xff", b"{}", b" ", b"long line " * 4, BOM]
PIECES += [text.encode() for text in ("é", "\u2028", "\u2029", "\u0085", "\v", "\f", "\x1c", "😀")]
STREAMS = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join) | st.binary(max_size=60)


@dataclass
class Trickle:
    """A source that gives at most so many bytes at a time, over and over."""

    content: bytes
    portions: list[int] = field(default_factory=lambda: [1 << 30])
    turn: int = 0

    def readinto(self, buffer: memoryview, /) -> int:
        assert len(buffer) > 0, "a reader without room would take this for the end"
        portion = self.portions[self.turn % len(self.portions)]
        self.turn += 1
        piece = self.content[: min(portion, len(buffer))]
        buffer[: len(piece)] = piece
        self.content = self.content[len(piece) :]
        return len(piece)


@dataclass
class Zeros:
    """`before`, a line of `length` zero bytes that exist nowhere, and `after`."""

    before: bytes
    length: int
    after: bytes

    def readinto(self, buffer: memoryview, /) -> int:
        if self.before:
            got = min(len(self.before), len(buffer))
            buffer[:got] = self.before[:got]
            self.before = self.before[got:]
        elif self.length:
            got = min(self.length, len(buffer), MIB)
            buffer[:got] = bytes(got)
            self.length -= got
        else:
            got = min(len(self.after), len(buffer))
            buffer[:got] = self.after[:got]
            self.after = self.after[got:]
        return got


def lines_of(reader: LineReader) -> list[bytes]:
    return [bytes(run.line(number)) for run in reader for number in range(len(run.starts))]


@st.composite
def line_beginnings(draw: st.DrawFn) -> tuple[bytes, int]:
    """A stream, and an offset in it where a line begins."""
    stream = draw(STREAMS)
    starts = [0, *(at + 1 for at, byte in enumerate(stream) if byte == ord("\n"))]
    return stream, draw(st.sampled_from(starts))


@given(
    line_beginnings(),
    st.integers(1, 70),
    st.integers(1, 70),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_whatever_the_buffer_the_limit_and_the_portions_lines_are_those_of_a_split(
    stream_and_start: tuple[bytes, int], limit: int, buffer_bytes: int, portions: list[int]
) -> None:
    stream, start = stream_and_start
    source = Trickle(stream[start:], portions)
    reader = LineReader(source, offset=start, limit=limit, buffer_bytes=buffer_bytes)

    found = lines_of(reader)

    *lines, tail = stream[start:].split(b"\n")
    kept = [line for line in lines if len(line) <= limit]
    if start == 0 and kept and kept[0] is lines[0]:
        kept[0] = kept[0].removeprefix(BOM)
    assert found == kept
    assert reader.oversized == sum(len(line) > limit for line in lines)
    assert reader.offset == len(stream) - len(tail)
    assert reader.taken == len(stream) - start
    if len(tail) > limit:
        assert reader.tail is None
    else:
        assert reader.tail in {tail, tail.removeprefix(BOM)}


@given(STREAMS, st.integers(1, 40), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_what_is_said_of_a_run_is_so(stream: bytes, buffer_bytes: int, portions: list[int]) -> None:
    for run in LineReader(Trickle(stream, portions), buffer_bytes=buffer_bytes):
        lines = [bytes(run.line(number)) for number in range(len(run.starts))]
        assert bytes(run.text) == b"\n".join(lines)
        assert run.plain == all(line[:1] == b"{" and line[-1:] == b"}" for line in lines)


@pytest.mark.parametrize(
    "separator", ["\r", "\u2028", "\u2029", "\u0085", "\v", "\f", "\x1c", "\x1d", "\x1e"]
)
def test_nothing_but_a_newline_ends_a_line(separator: str) -> None:
    text = f"a{separator}b".encode()
    assert lines_of(LineReader(Trickle(text + b"\n"))) == [text]


def test_a_byte_order_mark_counts_only_at_the_very_start() -> None:
    reader = LineReader(Trickle(BOM + b"a\n" + BOM + b"b\n"))
    assert lines_of(reader) == [b"a", BOM + b"b"]
    later = LineReader(Trickle(BOM + b"a\n"), offset=17)
    assert lines_of(later) == [BOM + b"a"]


@pytest.mark.parametrize("limit", [1, 7, 8, 9, 100])
def test_a_line_of_the_limit_is_kept_and_one_byte_more_is_not(limit: int) -> None:
    stream = b"x" * limit + b"\n" + b"y" * (limit + 1) + b"\nz\n"
    reader = LineReader(Trickle(stream), limit=limit, buffer_bytes=8)
    assert lines_of(reader) == [b"x" * limit, b"z"]
    assert reader.oversized == 1
    assert reader.offset == len(stream)


def test_the_offset_stays_before_a_torn_line_over_the_limit() -> None:
    reader = LineReader(Trickle(b"one\n" + b"x" * 100), limit=10, buffer_bytes=4)
    assert lines_of(reader) == [b"one"]
    assert (reader.offset, reader.tail, reader.oversized) == (4, None, 0)


@pytest.mark.parametrize("limit", [MIB, LINE_LIMIT_BYTES])
def test_memory_stays_bounded_on_a_line_of_200_mb_and_the_next_line_is_read(limit: int) -> None:
    reader = LineReader(Zeros(b"first\n", 200 * MIB, b"\nlast\n"), limit=limit)
    tracemalloc.start()
    try:
        found = lines_of(reader)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [b"first", b"last"]
    assert reader.oversized == 1
    # The buffer, the half of it that it grew out of, and a portion of the source.
    assert peak < 1.5 * limit + 4 * MIB


def test_the_buffer_shrinks_again_after_a_long_line() -> None:
    reader = LineReader(Zeros(b"", 40 * MIB, b"\n" + b"short\n" * 200_000))
    tracemalloc.start()
    try:
        runs = iter(reader)
        first = next(runs)
        assert len(first.line(0)) == 40 * MIB
        remaining = len(first.starts) - 1
        del first
        remaining += sum(len(run.starts) for run in runs)
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert remaining == 200_000
    assert current < 2 * MIB


@pytest.mark.parametrize("buffer_bytes", [200, 1000, 1024, 5000, 100_000])
@pytest.mark.parametrize("portion", [7, 1 << 30])
def test_large_response_items_are_not_given_whether_or_not_they_fit(
    buffer_bytes: int, portion: int
) -> None:
    large = b'{"timestamp":"2026-01-02T03:04:05.678Z","type":"response_item","payload":{"a":"'
    large += b"x" * 4000 + b'"}}'
    stream = b"first\n" + large + b"\n" + large + b"\nlast\n"
    reader = LineReader(Trickle(stream, [portion]), buffer_bytes=buffer_bytes)
    assert lines_of(reader) == [b"first", b"last"]
    assert (reader.opaque, reader.oversized, reader.offset) == (2, 0, len(stream))


def test_of_a_large_response_item_nothing_is_kept() -> None:
    head = b'{"timestamp":"2026-01-02T03:04:05.678Z","type":"response_item","payload":{"a":"'
    reader = LineReader(Zeros(b"first\n" + head, 40 * MIB, b'"}}\nlast\n' + head + bytes(MIB)))
    tracemalloc.start()
    try:
        found = lines_of(reader)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [b"first", b"last"]
    assert (reader.opaque, reader.oversized, reader.tail) == (1, 0, None)
    assert reader.offset == 6 + len(head) + 40 * MIB + 9
    assert peak < 4 * MIB
