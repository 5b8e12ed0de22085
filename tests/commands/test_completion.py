"""What shells offer."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.oracle.cases_build import meta, named, user
from tests.running import Place, thread_id

NAME = "_ROLLOUTD_COMPLETE"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.make(tmp_path)
    place.thread(0xA1, meta(), user("Fix\nthe login"))
    place.thread(0xB2, meta(), user("Other"), named("login"))
    place.thread(0xC3, meta(), user("Third"), named("two words"))
    place.thread(0xD4, meta(), user("Fourth"), named("login"))
    place.index()
    return place


def offered(place: Place, words: str, **environment: str) -> list[str]:
    """What bash offers for the last of some words."""
    done = place.run(
        prefix=(),
        **{NAME: "complete_bash", "COMP_WORDS": words},
        COMP_CWORD=str(len(words.split(" ")) - 1),
        **environment,
    )
    assert (done.code, done.stderr) == (0, "")
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def test_commands_and_options(place: Place) -> None:
    assert set(offered(place, "rolloutd ")) >= {"list", "show", "path", "status", "backfill"}
    assert "--since" in offered(place, "rolloutd list --s")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("rolloutd list --sort ", {"created", "updated", "recency"}),
        ("rolloutd list --order d", {"desc"}),
        ("rolloutd list --source s", {"subagent"}),
        ("rolloutd show lo", {"login"}),
        ("rolloutd show two", set()),
        ("rolloutd path 00000000-0000-4000-8000-0000000000a", {thread_id(0xA1)}),
        ("rolloutd path zz", set()),
    ],
)
def test_words(place: Place, words: str, expected: set[str]) -> None:
    assert set(offered(place, words)) == expected


def test_every_thread_once_and_the_newest_first(place: Place) -> None:
    found = offered(place, "rolloutd show ")
    assert found[0] == "login"
    assert sorted(found[1:]) == [thread_id(number) for number in (0xA1, 0xB2, 0xC3, 0xD4)]


def test_titles_beside_the_ids(place: Place) -> None:
    done = place.run(
        prefix=(), **{NAME: "complete_zsh", "_TYPER_COMPLETE_ARGS": "rolloutd show 0000"}
    )
    assert f'"{thread_id(0xA1)}":"Fix the login"' in done.stdout


@pytest.mark.parametrize("trouble", ["none", "corrupt", "setting"])
def test_where_nothing_is_known_nothing_is_offered(place: Place, trouble: str) -> None:
    if trouble == "none":
        place.database.unlink()
    elif trouble == "corrupt":
        place.database.write_bytes(b"garbage!" * 999)
    wrong = {"ROLLOUTD_WATCH": "often"} if trouble == "setting" else {}
    assert offered(place, "rolloutd show ", **wrong) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell(place: Place, shell: str) -> None:
    done = place.run(prefix=(), **{NAME: f"source_{shell}"})
    assert done.code == 0
    assert f"complete_{shell}" in done.stdout


def test_the_options_on_the_line_count(place: Place, tmp_path: Path) -> None:
    elsewhere = {"ROLLOUTD_DATABASE": str(tmp_path / "none.sqlite")}
    begun = "00000000-0000-4000-8000-0000000000a"
    assert offered(place, f"rolloutd path --database {tmp_path}/none.sqlite {begun}") == []
    words = f"rolloutd path --database {place.database} {begun}"
    assert offered(place, words, **elsewhere) == [thread_id(0xA1)]


def test_a_locked_database_keeps_no_shell_waiting(place: Place) -> None:
    with closing(sqlite3.connect(place.database)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        assert offered(place, "rolloutd show ") == []
        assert time.monotonic() - began < 2.5
