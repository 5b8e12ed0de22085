"""Names, identities and watermarks."""

import os
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.rollout.names import (
    encoding_of,
    identity_from_name,
    is_archived,
    is_rollout_name,
    order_of,
    parse_thread_id,
    watermark_text,
)

ID = "0199a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"
OTHER = "0199a1b2-c3d4-7e5f-8a9b-ffffffffffff"
TIME = "2026-01-02T03-04-05"
MILLIS = 1_767_323_045_000
NAME_BYTES = st.binary(min_size=1, max_size=12).filter(lambda name: not set(name) & {0, ord("/")})


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (f"rollout-{TIME}-{ID}.jsonl", True),
        (f"rollout-{TIME}-{ID}.jsonl.zst", True),
        (f"rollout-{TIME}-{ID}_{OTHER}.jsonl", True),
        ("rollout-anything.jsonl", True),
        ("rollout-.jsonl", True),
        ("rollout.jsonl", False),
        ("Rollout-x.jsonl", False),
        ("my-rollout-x.jsonl", False),
        ("rollout-x.JSONL", False),
        ("rollout-x.json", False),
        ("rollout-x.jsonl.tmp", False),
        ("rollout-x.jsonl.gz", False),
        ("rollout-x.zst", False),
        (".rollout-x.jsonl", False),
        ("", False),
    ],
)
def test_which_files_are_rollouts(name: str, is_one: bool) -> None:  # noqa: FBT001
    assert is_rollout_name(name) is is_one


@given(st.uuids())
def test_every_spelling_of_an_id_is_stored_in_one_way(value: uuid.UUID) -> None:
    text = str(value)
    for spelling in (text, text.upper(), value.hex, f"{{{text}}}", f"urn:uuid:{text}"):
        assert parse_thread_id(spelling) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "12345",
        f" {ID}",
        f"{ID}\n",
        ID[:-1],
        ID + "0",
        ID.replace("-", "_"),
        f"URN:UUID:{ID}",
        "{" + ID.replace("-", "") + "}",
        ID.replace("0199", "019g"),
        "0199a1b2c3d4-7e5f-8a9b-0c1d2e3f4a5b-",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert parse_thread_id(text) is None


@pytest.mark.parametrize(
    "name",
    [
        f"rollout-{TIME}-{ID}.jsonl",
        f"rollout-{TIME}-{ID}.jsonl.zst",
        f"rollout-{TIME}-{ID.upper()}.jsonl",
        f"rollout-{TIME}-{ID.replace('-', '')}.jsonl",
        f"rollout-{TIME}-{ID}_{OTHER}.jsonl",
    ],
)
@pytest.mark.parametrize("folder", ["sessions/", "sessions/2026/01/02/", "archived_sessions/a b/"])
def test_a_name_tells_id_and_time(folder: str, name: str) -> None:
    assert identity_from_name(folder + name) == (ID, MILLIS)


@pytest.mark.parametrize(
    "name",
    [
        f"rollout-{ID}.jsonl",
        f"rollout-{TIME}.jsonl",
        f"rollout-{TIME}-12345.jsonl",
        f"rollout-2026-13-02T03-04-05-{ID}.jsonl",
        f"rollout-2026-01-02T03:04:05-{ID}.jsonl",
        f"rollout-2026-1-2T3-4-5-{ID}.jsonl",
        f"rollout-{TIME}Z-{ID}.jsonl",
        f"rollout-{TIME}-678-{ID}.jsonl",
        f"rollout-2026-01-02T03-04-60-{ID}.jsonl",
        f"rollout-{TIME}-{ID}-copy.jsonl",
        f"rollout-{TIME}-{ID}_1.jsonl",
        f"rollout-{TIME}-x-{ID}.jsonl",
        "rollout-anything.jsonl",
    ],
)
def test_other_names_tell_nothing(name: str) -> None:
    assert identity_from_name(f"sessions/{name}") is None


def test_encoding_and_archive_by_the_watermark() -> None:
    assert encoding_of("sessions/rollout-x.jsonl") == "plain"
    assert encoding_of("sessions/rollout-x.jsonl.zst") == "zstd"
    assert is_archived("archived_sessions/rollout-x.jsonl")
    assert not is_archived("sessions/archived_sessions/rollout-x.jsonl")


@given(st.lists(NAME_BYTES, min_size=2, max_size=6, unique=True))
def test_watermarks_are_utf8_and_keep_different_names_apart(names: list[bytes]) -> None:
    decoded = [os.fsdecode(name) for name in names if b"\xef\xbf\xbd" not in name]
    texts = [watermark_text(name) for name in decoded]
    for text in texts:
        text.encode()
    assert len(set(texts)) == len(decoded)


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_a_utf8_name_is_its_own_watermark(name: str) -> None:
    assert watermark_text(name) == name


def test_the_order_is_that_of_bytes() -> None:
    ordered = ["a-b/x", "a/b", "a/é", "a/\uff5e", "a/😀", "archived_sessions/z", "sessions/B"]
    assert sorted(set(ordered), key=order_of) == ordered
