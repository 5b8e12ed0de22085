"""One rollout, from disk to a reading: what it survives, and how it goes on where it stopped."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from rolloutd.records import Known, Reading
from rolloutd.rollout.lines import BUFFER_BYTES
from rolloutd.rollout.opaque import OPAQUE_BYTES
from rolloutd.rollout.reading import read_rollout
from tests.oracle.cases_build import event, line, meta, named, rollout, tokens, turn, user
from tests.oracle.cases_files import streamed
from tests.oracle.cases_lines import BODIES
from tests.rollouts import (
    HEADER_020,
    OTHER,
    PATH,
    THREAD,
    append,
    applied,
    known_of,
    own,
    read,
    read_lines,
    write,
    write_with_hole,
)

MIB = 1024 * 1024
NAMELESS = "sessions/rollout-x.jsonl"
LIMIT = 2000
META, TURN, USER, TOKENS = (own(each) for each in (meta(), turn(), user(), tokens(42)))

# --- What it must survive -------------------------------------------------------------------

SURVIVED: dict[str, tuple[bytes, str | None]] = {
    "empty": (b"", "empty"),
    "newline": (b"\n", "empty"),
    "blank": (b" \n\t\n\r\n  ", "empty"),
    "garbage": (b"garbage\nmore\n", "no valid line"),
    "binary": (bytes(range(256)) * 4, "no valid line"),
    "nul": (b"\0" * 100 + b"\n", "no valid line"),
    "unknown-json": (b"{}\n[]\n1\nnull\n", "no valid line"),
    "torn-first": (META[:-9], "empty"),
    "headerless": (rollout(turn(), user()), None),
}


@pytest.mark.parametrize("kind", SURVIVED)
def test_a_file_without_a_thread_says_why(home: Path, kind: str) -> None:
    content, error = SURVIVED[kind]
    write(home, content)
    assert read(home).error == error


def test_a_headerless_file_whose_name_tells_nothing_has_no_thread(home: Path) -> None:
    reading = read_lines(home, turn(), user(), path=NAMELESS)
    assert reading.error == "neither a session_meta nor the file name tells the thread"
    assert reading.summary.first_user_message == "hello"


def test_a_file_whose_only_session_meta_has_a_bad_time_and_no_name_has_no_thread(
    home: Path,
) -> None:
    assert read_lines(home, meta(timestamp="odd"), user(), path=NAMELESS).error is not None


# Content around one line that is lost; the rest is as if it were not there.
LOST: dict[str, tuple[bytes, str]] = {
    "garbage": (b"garbage", "invalid_json"),
    "torn-and-newline": (USER[:-9], "invalid_json"),
    "nul": (b"\0\0\0", "invalid_json"),
    "nul-inside": (user("a\0b").replace(b"\\u0000", b"\0"), "invalid_json"),
    "bad-utf8": (user("x").replace(b'"x"', b'"a\xffb"'), "invalid_utf8"),
    "bad-utf8-unread": (line("response_item", {"a": "x"}).replace(b"x", b"\xff"), "invalid_utf8"),
    "bad-utf8-alone": (b"\xc3", "invalid_utf8"),
    "overlong": (user("x").replace(b'"x"', b'"\xc0\xaf"'), "invalid_utf8"),
    "surrogate-bytes": (user("x").replace(b'"x"', b'"\xed\xa0\x80"'), "invalid_utf8"),
    "byte-order-mark-later": (b"\xef\xbb\xbf" + USER, "invalid_json"),
    "two-on-a-line": (USER + USER, "invalid_json"),
    "array": (b"[" + USER + b"]", "not_an_item"),
    "no-payload": (line("event_msg", ...), "not_an_item"),
    "nested-500": (b"[" * 500 + b"]" * 500, "not_an_item"),
    "nested-5000": (b"[" * 5000 + b"]" * 5000, "nested_too_deep"),
    "nested-5000-in-an-item": (
        event("x", a=0).replace(b":0", b":" + b"[" * 5000 + b"]" * 5000),
        "nested_too_deep",
    ),
    "nested-100000-unclosed": (b'{"a":' * 100_000, "nested_too_deep"),
    "number-out-of-range": (tokens(2**63), "invalid_fields"),
    "number-far-out-of-range": (tokens(10**400), "invalid_fields"),
    "number-of-another-kind": (tokens(1.0), "invalid_fields"),
    "required-field-missing": (meta(cwd=...), "invalid_fields"),
}


@pytest.mark.parametrize("kind", LOST)
def test_a_bad_line_is_counted_with_its_reason_and_costs_nothing_else(
    home: Path, kind: str
) -> None:
    bad, reason = LOST[kind]
    summary = read_lines(home, meta(), bad, turn(), user("after"), tokens(42)).summary
    assert summary.parse_errors == {reason: 1}
    assert (summary.lines, summary.items) == (5, 4)
    without = read_lines(home, meta(), turn(), user("after"), tokens(42)).summary
    summary.parse_errors, summary.lines = {}, 4
    assert summary == without


# Items of which a value is kept as it is written.
DEEP: dict[str, bytes] = {
    "source": meta('"source":{"future":@deep@}', source=...),
    "subagent": meta('"source":{"subagent":{"future":@deep@}}', source=...),
    "history-mode": meta('"history_mode":@deep@'),
    "tool": meta('"dynamic_tools":[{"name":"a","description":"b","inputSchema":@deep@}]'),
    "sandbox": turn('"sandbox_policy":{"type":"x","a":@deep@}', sandbox_policy=...),
    "approval": turn('"approval_policy":{"x":@deep@}', approval_policy=...),
    "profile": turn('"permission_profile":{"type":"x","a":@deep@}', sandbox_policy=...),
    "settings": applied().replace(b'{"type":"disabled"}', b'{"type":"x","a":@deep@}'),
    "settings-approval": applied().replace(b'"untrusted"', b'{"x":@deep@}'),
}


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
def test_no_depth_of_nesting_gets_past_the_reader(
    home: Path, kind: str, pair: tuple[bytes, bytes]
) -> None:
    # All depths around the interpreter's limit, since how much of it is left differs by frames.
    opening, closing = pair
    values = (opening * depth + b"1" + closing * depth for depth in range(850, 1010))
    lines = [DEEP[kind].replace(b"@deep@", value) for value in values]
    reading = read_lines(home, meta(), *lines, user("after"))
    assert reading.error is None
    assert reading.summary.first_user_message == "after"
    assert sum(reading.summary.parse_errors.values()) > 0


@pytest.mark.parametrize("kind", sorted(BODIES))
def test_every_odd_file_of_the_oracle_is_read_to_its_end(home: Path, kind: str) -> None:
    file = write(home, BODIES[kind])
    reading = read(home)
    assert reading.cursor is not None
    assert reading.read == file.stat().st_size
    assert reading.cursor.offset <= reading.cursor.stamp.size == reading.read


@given(st.lists(st.binary(max_size=40) | st.sampled_from([META, TURN, USER]), max_size=8))
def test_no_bytes_stop_the_reading(home: Path, lines: list[bytes]) -> None:
    write(home, rollout(*lines))
    reading = read(home)
    assert reading.cursor is not None
    assert reading.read == reading.cursor.stamp.size


def test_crlf_is_white_space(home: Path) -> None:
    plain = read_lines(home, meta(), user(), tokens(1)).summary
    write(home, rollout(meta(), user(), tokens(1)).replace(b"\n", b"\r\n"))
    assert read(home).summary == plain


def test_blank_lines_are_no_errors(home: Path) -> None:
    summary = read_lines(home, b"", meta(), b" \t\r", user(), b"").summary
    assert (summary.parse_errors, summary.items, summary.lines) == ({}, 2, 5)


@pytest.mark.parametrize("end", [b"\n", b""], ids=["newline", "no-newline"])
def test_a_byte_order_mark_before_the_first_line_is_ignored(home: Path, end: bytes) -> None:
    write(home, b"\xef\xbb\xbf" + meta(cwd="/marked") + end)
    reading = read(home)
    assert reading.error is None
    assert (reading.summary.cwd, reading.summary.parse_errors) == ("/marked", {})


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085"])
def test_unicode_line_separators_do_not_end_a_line(home: Path, separator: str) -> None:
    summary = read_lines(home, meta(), user(f"a{separator}b")).summary
    assert (summary.first_user_message, summary.parse_errors) == (f"a{separator}b", {})


def test_of_a_key_given_twice_the_last_counts(home: Path) -> None:
    summary = read_lines(home, meta('"cwd":"/two"'), turn('"model":"two"')).summary
    assert (summary.cwd, summary.model, summary.parse_errors) == ("/two", "two", {})


def test_numbers_out_of_range_where_nobody_looks_are_no_errors(home: Path) -> None:
    odd = [event("x", f'"a":{number}') for number in ("9" * 400, "1e999", "-1e-999", "-0")]
    assert read_lines(home, meta(), *odd).summary.parse_errors == {}


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 30, "9" * 400, "9" * 5000, "-0"])
@pytest.mark.parametrize(
    "head",
    [
        meta('"history_mode":@number@'),
        meta('"source":{"future":@number@}', source=...),
        meta('"source":{"subagent":{"future":@number@}}', source=...),
        meta('"dynamic_tools":[{"name":"a","description":"","inputSchema":@number@}]'),
        turn('"sandbox_policy":{"type":"x","a":@number@}', sandbox_policy=...),
        turn('"approval_policy":{"x":@number@}', approval_policy=...),
        turn('"permission_profile":{"type":"x","a":@number@}', sandbox_policy=...),
        applied().replace(b'{"type":"disabled"}', b'{"type":"x","a":@number@}'),
        applied().replace(b'"untrusted"', b'{"x":@number@}'),
    ],
)
def test_numbers_out_of_range_where_a_value_is_kept_cost_that_line_at_most(
    home: Path, head: bytes, number: str
) -> None:
    reading = read_lines(home, head.replace(b"@number@", number.encode()), user("after"))
    assert reading.error is None
    assert reading.summary.first_user_message == "after"
    assert reading.summary.parse_errors in ({}, {"invalid_fields": 1}, {"invalid_json": 1})


def test_a_line_of_200_mb_is_skipped_counted_and_costs_bounded_memory(home: Path) -> None:
    write_with_hole(home, rollout(meta()), rollout(user("after")), 200 * MIB)
    tracemalloc.start()
    try:
        reading = read(home)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reading.summary.parse_errors == {"oversized": 1}
    assert reading.summary.first_user_message == "after"
    assert (reading.summary.lines, reading.summary.items) == (3, 2)
    assert peak < 120_000_000


@pytest.mark.parametrize("path", ["sessions/none.jsonl", "sessions/none/none.jsonl"])
def test_a_file_that_is_not_there_is_not_found(home: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        read(home, path)


# --- Going on where it stopped --------------------------------------------------------------

PASSED_OVER = line("response_item", {"type": "message", "content": "x" * OPAQUE_BYTES})
GOOD = [
    meta(),
    meta(id=OTHER, memory_mode="disabled"),
    meta(source="exec", git={"branch": "b"}, memory_mode="polluted"),
    turn(),
    turn(model="gpt-6", effort=None, cwd="/elsewhere"),
    user("first"),
    user(" ", images=["x"]),
    user("## My request for Codex:\n second"),
    named("renamed"),
    tokens(5),
    tokens(99),
    line("response_item", {"type": "message", "role": "user", "content": []}),
    PASSED_OVER,
    line("future", []),
    event("future"),
    HEADER_020,
    b'{"type":"message","role":"user","content":[{"type":"input_text","text":"old"}]}',
    b'{"record_type":"state"}',
]
BAD = [b"", b" \r", b"garbage", b"\xff", b"\xc3\xa9", b"\0", b"{}", meta(cwd=...), tokens(2**63)]
BAD += [user("x" * LIMIT), b"x" * (LIMIT + 1), b"[" * 3000, turn(effort=""), b"\xef\xbb\xbf"]
LINES = st.lists(st.sampled_from(GOOD) | st.sampled_from(BAD), max_size=10)
CUTS = st.lists(st.floats(0, 1), min_size=1, max_size=4)
ENDS = st.sampled_from([b"\n", b"", b"\n\n"])


def limited(home: Path, known: Known | None = None) -> Reading:
    return read_rollout(os.fspath(home), PATH, known, line_limit=LIMIT)


@given(LINES, CUTS, ENDS)
@example([b"x" * (LIMIT + 1), HEADER_020], [0.96], b"\n")
@example([HEADER_020, PASSED_OVER], [0.5], b"\n")
@example([b"", PASSED_OVER, HEADER_020], [0.5], b"\n")
@example([meta(), user("first")], [0.999], b"\n")
def test_however_a_file_grew_going_on_equals_a_reading_from_scratch(
    home: Path, lines: list[bytes], cuts: list[float], end: bytes
) -> None:
    content = own(rollout(*lines, end=end))
    ends = [*sorted(int(cut * len(content)) for cut in cuts), len(content)]
    file = write(home, content[: ends[0]])
    reading = limited(home)
    for start, stop in pairwise(ends):
        known = known_of(reading)
        with file.open("ab") as stream:
            stream.write(content[start:stop])
        reading = limited(home, known)
        assert reading.read == stop - known.cursor.offset
    scratch = limited(home)
    assert reading.summary == scratch.summary
    assert reading.resume == scratch.resume
    assert (reading.cursor, reading.error) == (scratch.cursor, scratch.error)


@given(LINES)
def test_what_is_given_as_known_is_left_as_it_was(home: Path, lines: list[bytes]) -> None:
    write(home, rollout(meta(), b"garbage"))
    known = known_of(limited(home))
    before = known_of(limited(home))
    append(home, rollout(*lines))
    limited(home, known)
    assert known == before


def test_a_last_line_without_newline_is_folded_but_not_gone_past(home: Path) -> None:
    write(home, rollout(meta(), user(), tokens(7), end=b""))
    reading = read(home)
    assert reading.summary.tokens_used == 7
    assert reading.resume is not None
    assert reading.resume.tokens_used is None
    assert reading.cursor is not None
    assert reading.cursor.offset == len(own(rollout(meta(), user())))


def test_a_legacy_header_without_newline_is_folded(home: Path) -> None:
    write(home, HEADER_020)
    assert read(home).error is None


@pytest.mark.parametrize("before", [b"", b"\n \n"])
def test_what_is_passed_over_after_a_legacy_header_does_not_hide_it(
    home: Path, before: bytes
) -> None:
    write(home, before + rollout(HEADER_020, PASSED_OVER))
    summary = read(home).summary
    assert (summary.legacy, summary.items, summary.parse_errors) == (True, 2, {})


def test_a_legacy_header_after_what_is_passed_over_is_none(home: Path) -> None:
    assert not read_lines(home, PASSED_OVER, HEADER_020).summary.legacy
    assert not read_lines(home, b"", PASSED_OVER, HEADER_020).summary.legacy


@pytest.mark.parametrize("torn", [TOKENS[:-1], b"\xff", b"garbage", b'{"a":1}', b"\0" * 4096])
def test_a_torn_last_line_is_the_end_of_the_data_not_an_error(home: Path, torn: bytes) -> None:
    write(home, rollout(meta(), user()) + torn)
    reading = read(home)
    assert (reading.summary.parse_errors, reading.resume) == ({}, None)
    assert reading.cursor is not None
    assert reading.cursor.offset == reading.cursor.stamp.size - len(torn)


def test_a_torn_last_line_that_is_completed_counts_once(home: Path) -> None:
    write(home, rollout(meta(), user("once"), end=b""))
    first = read(home)
    append(home, b"\n" + rollout(user("twice")))
    second = read(home, known=known_of(first))
    assert second.summary.lines == 3
    assert second.summary.items == 3


def test_an_unchanged_file_is_not_read_again(home: Path) -> None:
    first = read_lines(home, meta(), user())
    again = read(home, known=known_of(first))
    assert again.read == 0
    assert (again.summary, again.cursor) == (first.summary, first.cursor)


PADDING = [event("x", a="y" * 500) for _ in range(40)]


def test_a_rewritten_head_starts_over(home: Path) -> None:
    known = known_of(read_lines(home, meta(cwd="/one"), *PADDING))
    reading_after = read_after_writing(home, known, rollout(meta(cwd="/two"), *PADDING, user()))
    assert reading_after.summary.cwd == "/two"


def test_a_rewritten_tail_starts_over(home: Path) -> None:
    known = known_of(read_lines(home, meta(), *PADDING, tokens(11)))
    after = read_after_writing(home, known, rollout(meta(), *PADDING, tokens(22), user()))
    assert after.summary.tokens_used == 22


def test_a_smaller_file_starts_over(home: Path) -> None:
    known = known_of(read_lines(home, meta(), user("one"), tokens(5)))
    after = read_after_writing(home, known, rollout(meta(), user("one")))
    assert after.summary.tokens_used is None


def test_another_file_under_the_name_starts_over_even_if_it_begins_alike(home: Path) -> None:
    file = write(home, rollout(meta(), user()))
    known = known_of(read(home))
    longer = rollout(meta(), user(), tokens(1))
    write(home, longer, "sessions/next")
    (home / "sessions/next").replace(file)
    assert read(home, known=known).read == len(own(longer))


def read_after_writing(home: Path, known: Known, content: bytes) -> Reading:
    file = write(home, content)
    assert file.stat().st_ino == known.cursor.stamp.inode
    reading = read(home, known=known)
    assert reading.read == file.stat().st_size
    return reading


# --- Files that change while they are read ---------------------------------------------------

STEP = 33 * MIB  # More than goes between two calls of `on_bytes`.


def read_while(home: Path, change: Callable[[], object]) -> Reading:
    """Read a file of some 40 MB, which is changed once while it is being read."""
    pending = [change]

    def on_bytes(count: int) -> None:
        assert count > 0
        if pending:
            pending.pop()()

    reading = read_rollout(os.fspath(home), PATH, line_limit=LIMIT, on_bytes=on_bytes)
    assert not pending, "the file was too short to be changed in the middle"
    return reading


def assert_settles(home: Path, reading: Reading) -> Reading:
    """Going on from the reading gives what a reading from scratch gives."""
    after = limited(home, known_of(reading))
    scratch = limited(home)
    assert after.summary == scratch.summary
    assert after.cursor == scratch.cursor
    return after


def test_a_file_that_vanishes_while_it_is_read_is_read_to_its_end(home: Path) -> None:
    file = write_with_hole(home, rollout(meta()), rollout(user("end")), STEP)
    reading = read_while(home, file.unlink)
    assert reading.error is None
    assert reading.summary.first_user_message == "end"
    with pytest.raises(FileNotFoundError):
        limited(home, known_of(reading))


def test_a_file_that_grows_while_it_is_read_is_read_to_where_it_was(home: Path) -> None:
    file = write_with_hole(home, rollout(meta()), rollout(user("end")), STEP)
    size = file.stat().st_size
    reading = read_while(home, lambda: append(home, rollout(tokens(9))))
    assert reading.cursor is not None
    assert reading.cursor.stamp.size == size
    assert reading.summary.tokens_used is None
    assert assert_settles(home, reading).summary.tokens_used == 9


def test_a_file_that_shrinks_while_it_is_read_is_read_again(home: Path) -> None:
    file = write_with_hole(home, rollout(meta(), user("kept")), rollout(tokens(9)), STEP)
    short = len(own(rollout(meta(), user("kept"))))
    reading = read_while(home, lambda: os.truncate(file, short))
    assert reading.cursor is not None
    assert reading.cursor.stamp.size == short
    assert reading.summary.parse_errors == {}
    assert reading.summary.first_user_message == "kept"
    assert_settles(home, reading)


def test_a_file_rewritten_in_place_while_it_is_read_is_read_again(home: Path) -> None:
    write_with_hole(home, rollout(meta(cwd="/old")), rollout(user("old")), STEP)
    reading = read_while(home, lambda: write(home, rollout(meta(cwd="/new"))))
    assert reading.summary.cwd == "/new"
    assert_settles(home, reading)


def test_a_file_rewritten_larger_while_it_is_read_does_not_keep_its_old_summary(
    home: Path,
) -> None:
    write_with_hole(home, rollout(meta(cwd="/old")), rollout(user("old")), STEP)
    reading = read_while(
        home,
        lambda: write_with_hole(
            home, rollout(meta(cwd="/new")), rollout(user("new"), tokens(1)), STEP + 100
        ),
    )
    assert assert_settles(home, reading).summary.cwd == "/new"


def test_a_file_replaced_while_it_is_read_is_found_out_afterwards(home: Path) -> None:
    write_with_hole(home, rollout(meta(cwd="/old")), rollout(user("old")), STEP)
    write(home, rollout(meta(cwd="/new")), "sessions/next")
    reading = read_while(home, lambda: (home / "sessions/next").replace(home / PATH))
    assert assert_settles(home, reading).summary.cwd == "/new"


SMALL = rollout(meta(cwd="/old"), user("old"))
CHANGED_SMALL = {
    "shrunk": rollout(meta(cwd="/old")),
    "emptied": b"",
    "grown": SMALL + rollout(tokens(7)),
    "torn": SMALL + user("mor"),
    "another": rollout(meta(cwd="/new"), user("new")),
    "another, larger": rollout(meta(cwd="/new"), user("new"), tokens(7)),
}


@pytest.mark.parametrize("kind", CHANGED_SMALL)
def test_a_small_file_that_changes_just_before_its_bytes_are_taken(
    home: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """All of it is taken in one go, with its anchors."""
    os.utime(write(home, SMALL), ns=(0, 0))
    taking = os.preadv
    changes = [CHANGED_SMALL[kind]]

    def changed_first(descriptor: int, buffers: Any, offset: int) -> int:
        if changes:
            (home / PATH).write_bytes(own(changes.pop()))
        return taking(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", changed_first)
    reading = read(home)
    assert not changes
    after = read(home, known=known_of(reading)) if reading.error is None else read(home)
    scratch = read(home)
    assert (after.summary, after.error) == (scratch.summary, scratch.error)
    assert (after.cursor, after.resume) == (scratch.cursor, scratch.resume)


def test_a_buffer_that_is_used_again_holds_nothing_of_the_file_before(home: Path) -> None:
    buffer = bytearray(BUFFER_BYTES)
    for content in (rollout(meta(), user("x" * 5000)), rollout(meta(cwd="/a")), user("torn"), b""):
        write(home, content)
        again = read_rollout(os.fspath(home), PATH, buffer=buffer)
        assert again == read_rollout(os.fspath(home), PATH)


WRITER = """
import os, sys
line = sys.stdin.buffer.read()
with open(sys.argv[1], "ab", buffering=0) as file:
    for number in range(400):
        text = line.replace(b"4242", b"%d" % number)
        file.write(text[:number % len(text)])
        file.write(text[number % len(text):])
"""


def test_following_a_process_that_writes_equals_a_reading_from_scratch(home: Path) -> None:
    file = write(home, rollout(meta(), user()))
    with subprocess.Popen([sys.executable, "-c", WRITER, file], stdin=subprocess.PIPE) as writer:
        assert writer.stdin is not None
        writer.stdin.write(own(rollout(tokens(4242))))
        writer.stdin.close()
        reading = limited(home)
        running = True
        while running:
            running = writer.poll() is None
            reading = limited(home, known_of(reading))
    scratch = limited(home)
    assert reading.summary == scratch.summary
    assert (reading.summary.tokens_used, reading.summary.parse_errors) == (399, {})


def test_the_bytes_that_are_told_are_never_more_than_were_read(home: Path) -> None:
    write_with_hole(home, rollout(meta()), rollout(user()), 3 * STEP)
    told: list[int] = []
    reading = read_rollout(os.fspath(home), PATH, line_limit=LIMIT, on_bytes=told.append)
    assert len(told) == 3
    assert 0 < sum(told) <= reading.read


# --- Compressed rollouts ---------------------------------------------------------------------

ZST = f"{PATH}.zst"
BODY = own(rollout(meta(), turn(), b"garbage", user("hello"), tokens(42)))


def read_zst(home: Path, content: bytes) -> Reading:
    write(home, content, ZST)
    return read(home, ZST)


def test_a_compressed_rollout_says_what_the_plain_one_says(home: Path) -> None:
    write(home, BODY)
    plain, packed = read(home), read_zst(home, streamed(BODY))
    assert (packed.summary, packed.error) == (plain.summary, None)
    assert packed.encoding == "zstd"
    assert packed.cursor is not None
    assert packed.cursor.offset == packed.cursor.stamp.size == len(streamed(BODY))


def test_a_compressed_rollout_is_always_read_from_its_start(home: Path) -> None:
    first = read_zst(home, streamed(BODY))
    append(home, streamed(rollout(tokens(99))), ZST)
    second = read(home, ZST, known_of(first))
    assert second.summary.tokens_used == 99
    assert second.summary.lines == first.summary.lines + 1


def test_every_way_of_cutting_a_frame_short_is_an_error(home: Path) -> None:
    packed = streamed(BODY)
    for length in range(1, len(packed)):
        assert "zstd" in str(read_zst(home, packed[:length]).error), length
    assert read_zst(home, b"").error == "empty"


def test_no_damaged_byte_goes_unnoticed(home: Path) -> None:
    packed = streamed(BODY)
    whole = read_zst(home, packed)
    for at in range(len(packed)):
        damaged = bytearray(packed)
        damaged[at] ^= 0x55
        reading = read_zst(home, bytes(damaged))
        assert reading.error is not None or reading.summary == whole.summary, at


@pytest.mark.parametrize("content", [BODY, streamed(BODY) + b"garbage", streamed(BODY) + b"\0"])
def test_what_is_no_frame_is_an_error(home: Path, content: bytes) -> None:
    assert "zstd" in str(read_zst(home, content).error)


def test_a_compressed_line_of_200_mb_is_skipped(home: Path) -> None:
    packer = zstandard.ZstdCompressor(level=1).compressobj()
    content = packer.compress(own(rollout(meta())))
    content += b"".join(packer.compress(bytes(MIB)) for _ in range(200))
    content += packer.compress(b"\n" + rollout(user("after"))) + packer.flush()
    reading = read_zst(home, content)
    assert reading.error is None
    assert reading.summary.parse_errors == {"oversized": 1}
    assert reading.summary.first_user_message == "after"


def test_the_plain_rollout_beside_a_compressed_one_is_another_file(home: Path) -> None:
    write(home, rollout(meta(), user("plain")))
    assert read_zst(home, streamed(BODY)).summary.first_user_message == "hello"
    assert read(home).summary.first_user_message == "plain"
    assert read(home).summary.thread_id == THREAD


# --- As it was before it grew ---------------------------------------------------------------

GROWN = own(rollout(meta(), turn(), user("ünïcödé"), tokens(1), tokens(2), end=b""))


@example(size=len(GROWN))
@given(size=st.integers(0, len(GROWN)))
def test_a_reading_up_to_a_limit_is_the_reading_of_the_file_then(home: Path, size: int) -> None:
    write(home, GROWN[:size])
    then = read(home)
    append(home, GROWN[size:] + b"\n" + own(rollout(tokens(3), user("later"))))
    now = read_rollout(os.fspath(home), PATH, limit=size)
    assert now.cursor is not None
    assert then.cursor is not None
    assert (now.cursor.offset, now.cursor.anchors) == (then.cursor.offset, then.cursor.anchors)
    assert now.cursor.stamp.size > size
    assert (now.summary, now.resume, now.error) == (then.summary, then.resume, then.error)
