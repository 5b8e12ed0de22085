"""A file read in parts says what it says read in one go, wherever its parts begin."""

import os
import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rolloutd.records import Reading, Summary
from rolloutd.rollout import parts
from rolloutd.rollout.fold import fold
from rolloutd.rollout.items import decode
from rolloutd.rollout.joining import Joining, parts_of
from rolloutd.rollout.line_fold import copy_of
from rolloutd.rollout.messages import Job
from rolloutd.rollout.opaque import OPAQUE_BYTES
from rolloutd.rollout.parts import KEPT_BYTES, PART_BYTES, Kept, Part, PartReading, read_part
from rolloutd.rollout.reading import read_rollout
from tests.oracle.cases_build import event, line, meta, named, rollout, tokens, turn, user
from tests.rollouts import (
    HEADER_020,
    OTHER,
    PATH,
    append,
    applied,
    goal,
    known_of,
    own,
    read,
    read_in_parts,
    write,
)

LIMIT = 2000


def completed(*content: dict[str, str], kind: str = "UserMessage") -> bytes:
    return event("item_completed", item={"type": kind, "id": "1", "content": list(content)})


TEXT = {"type": "text", "text": "of pieces"}
PICTURE = {"type": "image", "image_url": "x"}
MATTER = [
    meta(),
    meta(cwd="/there", model_provider="p2", git={"branch": "b"}),
    meta(id=OTHER, memory_mode="disabled"),
    turn(),
    turn(cwd=""),
    turn(model="m2", cwd="/turn", effort=None),
    turn(model="m3", approval_policy="never"),
    applied(),
    applied(model="a2"),
    user("first"),
    user("second"),
    user(" "),
    user("", images=["x"]),
    completed(TEXT),
    completed(PICTURE),
    completed(TEXT, kind="AgentMessage"),
    goal("an aim"),
    goal("another"),
    goal(" "),
    named("a name"),
    named(" "),
    tokens(7),
    tokens(8),
    event("token_count", info=None),
]
OTHERS = [
    b"",
    b"garbage",
    b"\xff",
    b"{}",
    meta(cwd=...),
    turn(effort=""),
    tokens(2**63),
    user("x" * LIMIT),
    line("response_item", {"type": "message", "content": "x" * OPAQUE_BYTES}),
    line("response_item", {"type": "message", "content": "x"}),
    line("future", []),
]
LINES = st.lists(st.sampled_from(MATTER) | st.sampled_from(OTHERS), max_size=14)
ENDS = st.sampled_from([b"\n", b"", b"\n\n", b"\n" + user("torn")[:-4]])


def in_parts(home: Path, size: int, rng: random.Random | None = None) -> Reading | None:
    return read_in_parts(home, PATH, size, rng or random.Random(1), LIMIT)


def read_one(home: Path, part: Part) -> PartReading | None:
    return read_part(os.fspath(home), PATH, part, line_limit=LIMIT)


def said(reading: Reading) -> object:
    return (reading.cursor, reading.summary, reading.resume, reading.error, reading.archived)


@given(LINES, ENDS, st.integers(1, 3000), st.randoms(use_true_random=False))
@example([meta(), turn(cwd=""), turn(cwd="/turn"), turn()], b"\n", 150, random.Random(1))
@example([meta(), user("", images=["x"]), goal("an aim")], b"\n", 150, random.Random(1))
def test_in_parts_is_in_one_go(
    home: Path, lines: list[bytes], end: bytes, size: int, rng: random.Random
) -> None:
    write(home, rollout(meta(), turn(), *lines, end=end))
    joined = in_parts(home, size, rng)
    assert joined is not None
    assert said(joined) == said(read_rollout(os.fspath(home), PATH, line_limit=LIMIT))


@given(*[st.lists(st.sampled_from(MATTER), max_size=size) for size in (6, 14)])
def test_what_is_kept_comes_to_the_same_after_whatever_was_before(
    before: list[bytes], lines: list[bytes]
) -> None:
    whole, alone, kept = Summary(), Summary(), Kept()
    fold_all(whole, before)
    joined = copy_of(whole)
    for each in lines:
        item = decode(own(each))
        if item is not None:
            fold(whole, item)
            kept.fold(alone, item, own(each))
    fold_all(joined, kept.lines)
    assert joined == whole


def fold_all(summary: Summary, lines: list[bytes]) -> None:
    for each in lines:
        item = decode(own(each))
        if item is not None:
            fold(summary, item)


@pytest.mark.parametrize("begin", [b"", b"\n" * 200])
def test_what_the_first_line_alone_tells_is_not_told_in_parts(home: Path, begin: bytes) -> None:
    write(home, begin + rollout(HEADER_020, *[user("x" * 50)] * 4))
    assert in_parts(home, 100) is None


def test_an_old_header_further_on_is_none(home: Path) -> None:
    write(home, rollout(meta(), HEADER_020, user("hello")))
    joined = in_parts(home, 100)
    assert joined is not None
    assert said(joined) == said(read(home))


def test_a_line_over_several_parts_is_the_one_s_where_it_begins(home: Path) -> None:
    write(home, rollout(meta(), user("x" * 1500), tokens(3)))
    joined = in_parts(home, 100)
    assert joined is not None
    assert (joined.summary.items, joined.summary.tokens_used) == (3, 3)
    assert joined.summary.first_user_message == "x" * 1500


def test_going_on_from_what_parts_said(home: Path) -> None:
    write(home, rollout(meta(), user("first"), tokens(1), end=b""))
    joined = in_parts(home, 100)
    assert joined is not None
    append(home, b"\n" + rollout(tokens(2)))
    reading = read(home, known=known_of(joined))
    assert joined.cursor is not None
    assert reading.cursor is not None
    assert reading.read == reading.cursor.offset - joined.cursor.offset
    assert reading.summary == read(home).summary


def test_a_file_that_changes_meanwhile_is_not_told_in_parts(home: Path) -> None:
    write(home, rollout(meta(), *[tokens(number) for number in range(20)]))
    whole = (home / PATH).stat().st_size
    joining = Joining(PATH)
    count = Part(0, whole, 400).count
    for number in range(count):
        if number == count - 1:
            append(home, rollout(tokens(99)))
        joining.add(Part(number, whole, 400), read_one(home, Part(number, whole, 400)))
    assert joining.reading() is None


def test_a_file_that_changes_while_a_part_is_read_is_not_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(home, rollout(meta(), tokens(1)))

    def fold_and_touch(*_arguments: object) -> None:
        os.utime(file, ns=(1, 1))

    monkeypatch.setattr(parts, "fold_lines", fold_and_touch)
    assert read_one(home, Part(0, 100)) is None


def test_a_part_of_what_cannot_be_opened_or_read_is_none(home: Path) -> None:
    assert read_one(home, Part(0, 100)) is None
    (home / PATH).parent.mkdir(parents=True)
    (home / PATH).mkdir()
    assert read_one(home, Part(0, 100)) is None
    (home / PATH).rmdir()
    os.mkfifo(home / PATH)
    assert read_one(home, Part(0, 100)) is None


def test_what_matters_nearly_all_is_not_handed_on(home: Path) -> None:
    name = named("x" * 1000)
    write(home, rollout(meta(), *[name] * (KEPT_BYTES // len(name) + 2)))
    assert read_one(home, Part(1, 1000, 500)) is None
    # So it is with a long beginning of a last line.
    start = write(home, rollout(meta())).stat().st_size
    append(home, b"x" * (KEPT_BYTES + 1))
    assert read_part(os.fspath(home), PATH, Part(1, 2 * start, start)) is None


def test_little_is_kept_of_a_usual_part(home: Path) -> None:
    write(home, rollout(meta(), *[turn(), user("hello"), tokens(5), applied()] * 1000))
    reading = read_one(home, Part(1, 10**6, 1000))
    assert reading is not None
    turns = [turn(), turn(), user("hello"), applied()]
    assert len(reading.kept) < 2 * 1000 + len(turns)
    write(home, rollout(meta(), *[turn(), user("hello"), tokens(5)] * 1000))
    reading = read_one(home, Part(1, 10**6, 1000))
    assert reading is not None
    assert len(reading.kept) == 4


def test_large_plain_files_are_cut_and_all_of_them_is_in_a_part(home: Path) -> None:
    size = 5 * PART_BYTES + 17
    jobs = list(parts_of(Job(PATH, size)))
    pieces = [job.part for job in jobs if job.part]
    assert [piece.number for piece in pieces] == [0, 1, 2, 3, 4]
    assert all(one.end == two.start for one, two in pairwise(pieces))
    assert all(job.whole == Job(PATH, size) for job in jobs)
    write(home, rollout(meta()))
    known = known_of(read(home))
    whole = (
        Job(PATH, 2 * PART_BYTES - 1),
        Job(PATH + ".zst", size),
        Job(PATH, size, known),
        Job(PATH, size, limit=size),
    )
    assert all(list(parts_of(job)) == [job] for job in whole)
