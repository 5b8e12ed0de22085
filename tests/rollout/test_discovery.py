"""Finding rollouts: what is there, and why it cannot be read; nothing is opened or followed."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolloutd.records import FileStamp
from rolloutd.rollout.discovery import Discovery, discover, first_found
from rolloutd.rollout.names import order_of
from rolloutd.rollout.reading import read_rollout
from tests.rollouts import PATH, without_privileges, write

NAME = "rollout-x.jsonl"


def paths(home: Path) -> list[str]:
    return [candidate.path for candidate in discover(home).candidates]


def problems(home: Path) -> dict[str, str | None]:
    return {candidate.path: candidate.problem for candidate in discover(home).candidates}


def test_rollouts_are_found_at_any_depth_and_nothing_else(home: Path) -> None:
    wanted = [
        "archived_sessions/2026/rollout-a.jsonl",
        "archived_sessions/rollout-a.jsonl",
        "sessions/.hidden/rollout-a.jsonl",
        "sessions/2026/01/02/rollout-a.jsonl",
        "sessions/a b/é/rollout-a.jsonl",
        "sessions/rollout-a.jsonl",
        "sessions/rollout-a.jsonl/rollout-b.jsonl.zst",
    ]
    for path in wanted[:-2] + wanted[-1:]:
        write(home, b"", path)
    write(home, b"", "sessions/notes.jsonl")
    write(home, b"", "sessions/rollout-a.jsonl.tmp")
    write(home, b"", "other/rollout-a.jsonl")
    write(home, b"", "rollout-a.jsonl")
    found = {path for path, problem in problems(home).items() if problem is None}
    assert found == set(wanted[:-2] + wanted[-1:])


@given(st.permutations(["a-b/", "a/", "a/é/", "a/\uff5e/", "a/😀/", "B/", "", "z/z/"]))
def test_whatever_the_order_of_writing_candidates_come_in_the_order_of_their_bytes(
    home: Path, folders: list[str]
) -> None:
    for folder in folders:
        file = home / "sessions" / folder / NAME
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.touch()
    (home / "archived_sessions").mkdir(exist_ok=True)
    (home / "archived_sessions" / NAME).touch()
    found = paths(home)
    assert len(found) == len(folders) + 1
    assert found == sorted(found, key=order_of)
    assert found[0] == f"archived_sessions/{NAME}"


def test_a_candidate_says_what_a_stat_says(home: Path) -> None:
    file = write(home, b"12345")
    (candidate,) = discover(home).candidates
    status = file.stat()
    assert candidate.path == PATH
    assert candidate.size == 5
    assert candidate.stamp == FileStamp(
        status.st_dev, status.st_ino, 5, status.st_mtime_ns, status.st_ctime_ns
    )
    assert candidate.problem is None


def test_no_home_no_roots_and_an_empty_home_are_nothing_found(tmp_path: Path) -> None:
    assert discover(tmp_path / "none") == Discovery(tmp_path / "none", (), {}, ())
    assert discover(tmp_path) == Discovery(tmp_path, (), {}, ())
    (tmp_path / "archived_sessions").mkdir()
    (tmp_path / "sessions").touch()
    found = discover(tmp_path)
    assert (found.candidates, list(found.roots), found.unlisted) == ((), ["archived_sessions"], ())


def test_what_lies_below_no_root_is_no_rollout(home: Path) -> None:
    """So that a row of such a path does not stay for ever."""
    found = discover(home)
    assert found.covers("elsewhere/rollout-x.jsonl")
    assert not found.covers("archived_sessions/rollout-x.jsonl")


def test_a_root_that_was_replaced_or_has_gone_covers_nothing(home: Path) -> None:
    write(home, b"")
    found = discover(home)
    assert found.covers(PATH)
    (home / "sessions").rename(home / "elsewhere")
    assert not found.still_there().covers(PATH)
    (home / "sessions").mkdir()
    assert not found.still_there().covers(PATH)
    assert discover(home).covers(PATH)


def test_a_plain_file_hides_the_compressed_one_even_when_empty(home: Path) -> None:
    write(home, b"", f"sessions/{NAME}")
    write(home, b"z", f"sessions/{NAME}.zst")
    write(home, b"z", f"sessions/other/{NAME}.zst")
    assert paths(home) == [f"sessions/other/{NAME}.zst", f"sessions/{NAME}"]


def test_a_plain_file_that_cannot_be_read_hides_nothing(home: Path) -> None:
    (home / "sessions" / NAME).symlink_to("nowhere")
    write(home, b"z", f"sessions/{NAME}.zst")
    assert problems(home) == {
        f"sessions/{NAME}": "symbolic link, not followed",
        f"sessions/{NAME}.zst": None,
    }


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # A socket's path must be short.
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def make_link_to_file(path: Path) -> None:
    target = path.parent.parent.parent / "target.jsonl"
    target.write_bytes(b"{}\n")
    path.symlink_to(target)


def make_link_to_directory(path: Path) -> None:
    target = path.parent.parent.parent / "outside"
    target.mkdir()
    (target / NAME).touch()
    path.symlink_to(target)


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_link_to_parent(path: Path) -> None:
    path.symlink_to("..")


IRREGULAR: dict[str, tuple[Callable[[Path], None], str]] = {
    "fifo": (make_fifo, "FIFO"),
    "socket": (make_socket, "socket"),
    "link-to-file": (make_link_to_file, "symbolic link"),
    "link-to-directory": (make_link_to_directory, "symbolic link"),
    "link-to-itself": (make_loop, "symbolic link"),
    "link-to-parent": (make_link_to_parent, "symbolic link"),
}


@pytest.mark.parametrize("kind", IRREGULAR)
def test_what_is_no_regular_file_is_named_and_never_opened_or_followed(
    home: Path, kind: str
) -> None:
    make, words = IRREGULAR[kind]
    make(home / "sessions" / NAME)
    write(home, b"", "sessions/rollout-y.jsonl")

    found = problems(home)

    assert list(found) == [f"sessions/{NAME}", "sessions/rollout-y.jsonl"]
    assert words in str(found[f"sessions/{NAME}"])
    reading = read_rollout(os.fspath(home), f"sessions/{NAME}")
    assert reading.cursor is None
    assert reading.error == found[f"sessions/{NAME}"]


def test_links_to_directories_of_other_names_are_not_entered(home: Path) -> None:
    (home / "outside").mkdir()
    write(home, b"", f"outside/{NAME}")
    (home / "sessions" / "linked").symlink_to(home / "outside")
    (home / "sessions" / "loop").symlink_to(home / "sessions")
    assert paths(home) == []


def test_a_directory_with_a_rollouts_name_is_no_rollout(home: Path) -> None:
    write(home, b"", f"sessions/{NAME}/rollout-inner.jsonl")
    assert problems(home)[f"sessions/{NAME}/rollout-inner.jsonl"] is None
    assert problems(home).get(f"sessions/{NAME}", "directory") is not None
    reading = read_rollout(os.fspath(home), f"sessions/{NAME}")
    assert reading.cursor is None
    assert reading.error == "directory, not a regular file"


def test_names_that_are_not_utf8_are_told_apart_and_stop_nothing(home: Path) -> None:
    names = (b"rollout-\xff.jsonl", b"rollout-\xfe.jsonl", b"\xfd/rollout-a.jsonl")
    for name in names:
        write(home, b"", f"sessions/{os.fsdecode(name)}")
    write(home, b"", "sessions/rollout-ok.jsonl")
    found = problems(home)
    assert len(found) == 4
    assert found["sessions/rollout-ok.jsonl"] is None
    reasons = [problem for path, problem in found.items() if path != "sessions/rollout-ok.jsonl"]
    assert reasons == ["file name is not UTF-8"] * 3
    for path in found:
        path.encode()


DISCOVER = """
import sys
from pathlib import Path
from rolloutd.rollout.discovery import discover
found = discover(Path(sys.argv[1]))
for each in found.candidates:
    print(each.path, each.problem, each.is_directory, sep="|")
print("unlisted", *found.unlisted, sep="|")
print("covers", *(int(found.covers(path)) for path in sys.argv[2:]), sep="|")
"""


def test_a_directory_that_cannot_be_listed_is_named_and_what_lies_below_is_unknown(
    home: Path,
) -> None:
    write(home, b"", f"sessions/open/{NAME}")
    closed = write(home, b"", f"sessions/shut/{NAME}").parent
    closed.chmod(0)
    try:
        told = without_privileges(
            DISCOVER,
            os.fspath(home),
            f"sessions/shut/{NAME}",
            f"sessions/shutter/{NAME}",
            f"sessions/open/{NAME}",
            f"archived_sessions/{NAME}",
        )
    finally:
        closed.chmod(0o700)
    assert told.splitlines() == [
        f"sessions/open/{NAME}|None|False",
        "sessions/shut|directory: Permission denied|True",
        "unlisted|sessions/shut",
        "covers|0|1|1|0",
    ]


def test_an_unreadable_root_is_there_but_unknown(home: Path) -> None:
    write(home, b"", f"sessions/{NAME}")
    (home / "sessions").chmod(0)
    try:
        told = without_privileges(DISCOVER, os.fspath(home), f"sessions/{NAME}")
    finally:
        (home / "sessions").chmod(0o700)
    assert told.splitlines() == [
        "sessions|directory: Permission denied|True",
        "unlisted|sessions",
        "covers|0",
    ]


READ = """
import sys
from rolloutd.rollout.reading import read_rollout
reading = read_rollout(sys.argv[1], sys.argv[2])
print(reading.error, reading.cursor)
"""


def test_an_unreadable_file_is_an_error_of_its_own(home: Path) -> None:
    file = write(home, b"{}\n")
    file.chmod(0)
    assert without_privileges(READ, os.fspath(home), PATH) == "Permission denied None\n"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["sessions", "archived_sessions"]),
            st.lists(st.sampled_from(["a", "a-b", "a.b", "a0", "B", "é"]), max_size=3),
            st.sampled_from(["rollout-1.jsonl", "rollout-1.jsonl.zst", "rollout-.jsonl", "x"]),
        ),
        max_size=12,
    )
)
def test_a_head_start_finds_the_same_in_the_same_order(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, list[str], str]]
) -> None:
    home = tmp_path_factory.mktemp("home")
    for root, folders, name in files:
        write(home, b"", "/".join([root, *folders, name]))
    assert list(first_found(home)) == list(discover(home).candidates)


def test_it_says_that_it_is_still_looking(home: Path) -> None:
    folder = home / "sessions"
    for number in range(2100):
        (folder / f"rollout-2026-01-01T00-00-00-{number}.jsonl").touch()
    looks: list[None] = []
    assert len(discover(home, lambda: looks.append(None)).candidates) == 2100
    assert len(looks) == 2
