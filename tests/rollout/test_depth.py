"""How deep a line may be nested: the same for whoever reads it, and however."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout import depth
from rolloutd.rollout.depth import LEAST_BYTES, MOST_LEVELS, is_too_deep
from rolloutd.rollout.opaque import OPAQUE_BYTES
from tests.oracle.cases_build import event, meta, rollout, user
from tests.rollouts import append, known_of, read, write

JSON = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}"\\a'),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text('{["'), below, max_size=3),
)


def nested(levels: int, pair: tuple[bytes, bytes]) -> bytes:
    """An item of so many levels, the two around the value among them."""
    opening, closing = pair
    value = opening * (levels - 2) + b"1" + closing * (levels - 2)
    return event("x", a=0).replace(b'"a":0', b'"a":' + value)


def test_lines_that_are_too_short_to_be_looked_at_are_too_short_to_be_deep() -> None:
    assert OPAQUE_BYTES <= LEAST_BYTES
    assert len(nested(MOST_LEVELS + 1, (b"[", b"]"))) >= LEAST_BYTES


def levels_of(value: Any) -> int:
    match value:
        case dict():
            return 1 + max(map(levels_of, value.values()), default=0)
        case list():
            return 1 + max(map(levels_of, value), default=0)
    return 0


@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
@pytest.mark.parametrize("around", ["alone", "in a run", "in two goes", "unfinished"])
def test_the_limit_is_the_same_everywhere(
    home: Path, pair: tuple[bytes, bytes], around: str
) -> None:
    for levels in (MOST_LEVELS, MOST_LEVELS + 1):
        line = nested(levels, pair)
        before = [meta()] if around == "alone" else [meta(), *[user()] * 50]
        whole = rollout(*before, line, user("after"))
        known = None
        if around == "in two goes":
            write(home, whole[: len(whole) // 2])
            known = known_of(read(home))
            append(home, whole[len(whole) // 2 :])
        else:
            write(home, rollout(*before) + line if around == "unfinished" else whole)
        summary = read(home, known=known).summary
        is_read = levels == MOST_LEVELS
        expected = {} if is_read or around == "unfinished" else {"nested_too_deep": 1}
        assert summary.parse_errors == expected
        assert summary.items == len(before) + is_read + (around != "unfinished")


@given(JSON, st.integers(0, 6))
def test_levels_are_those_of_the_value(value: Any, most: int) -> None:
    text = json.dumps(value).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depth, "MOST_LEVELS", most)
        patch.setattr(depth, "LEAST_BYTES", 0)
        assert is_too_deep(text) == (levels_of(value) > most)
        assert is_too_deep(memoryview(text)) == (levels_of(value) > most)


def test_brackets_in_strings_are_no_levels() -> None:
    assert not is_too_deep(user("[{" * 10_000 + '\\"' * 10))
    assert not is_too_deep(b'"' + b"[" * 10_000)
    assert is_too_deep(b'"\\\\"' + b"[" * 10_000)
