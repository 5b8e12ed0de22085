"""`rolloutd list`, as a user runs it."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle.cases_build import meta, tokens, turn, user
from tests.running import BOUND_SECONDS, Done, Place, change, dump, rows, thread_id, watermark
from tests.state.test_database import without_privileges

OLD = 1_700_000_000


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Four threads: two of a person's, one of a subagent's, one archived."""
    place = Place.make(tmp_path)
    user_home = str(tmp_path / "user")
    files = [
        place.thread(1, meta(cwd=f"{user_home}/work"), turn(), user("Fix the login"), tokens(1234)),
        place.thread(2, meta(cwd="/srv/app", source="vscode"), user("Réponse\n\x1b[31mred")),
        place.thread(3, meta(source={"subagent": "review"}), user("Look at this")),
        place.thread(4, meta(), user("Old"), path=watermark(4, root="archived_sessions")),
    ]
    for number, file in enumerate(files, 1):
        os.utime(file, (OLD + number, OLD + number))
    place.index()
    return place


def hold(place: Place) -> None:
    """Somebody else has the lease: a process of which nothing is known here."""
    change(
        place.database,
        "UPDATE backfill_state SET owner_token = 'x', owner_host = 'elsewhere', owner_boot = 'x',"
        " owner_pid = 17, owner_since_ms = 1, lease_expires_at_ms = 9999999999999",
    )


def listed(done: Done) -> list[str]:
    """The ids in a list's document."""
    assert done.code == 0, done
    return [thread["id"] for thread in done.document["threads"]]


def test_a_table_for_people(place: Place) -> None:
    done = place.run("list", COLUMNS="120")
    assert (done.code, done.stderr) == (0, "")
    head, second, first = done.stdout.splitlines()
    assert head.split() == ["ID", "WHEN", "WHERE", "TITLE", "MODEL", "TOKENS"]
    assert first.split() == [
        *(thread_id(1), "2023-11-14", "~/work", "Fix", "the", "login", "gpt-5", "1.2k"),
    ]
    assert "/srv/app  Réponse \\x1b[31mred" in second
    assert "\x1b" not in done.stdout


def test_one_document_for_programs(place: Place) -> None:
    done = place.run("list", "--json")
    assert done.stderr == ""
    assert listed(done) == [thread_id(2), thread_id(1)]
    assert done.document["next_cursor"] is None
    [_, thread] = done.document["threads"]
    assert (thread["archived"], thread["tokens_used"], thread["name"]) == (False, 1234, None)
    columns = {name for _, name, *_ in rows(place.database, "PRAGMA table_info(threads)")}
    assert thread.keys() == columns


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ((), [2, 1]),
        (("--all",), [3, 2, 1]),
        (("--archived",), [4]),
        (("--archived", "--active", "--all"), [4, 3, 2, 1]),
        (("--source", "subagent"), [3]),
        (("--source", "subagent", "--source", "cli"), [3, 1]),
        (("--source", '{"subagent": "review"}'), [3]),
        (("--search", "RÉP"), [2]),
        (("--search", "%"), []),
        (("--cwd", "/srv"), [2]),
        (("--cwd", "/srv/app/"), [2]),
        (("--cwd", "/srv/ap"), []),
        (("--model", "gpt-5"), [1]),
        (("--provider", "openai", "--provider", "x"), [2, 1]),
        (("--branch", "main"), []),
        (("--order", "asc"), [1, 2]),
        (("--sort", "created", "--order=asc"), [1, 2]),
        (("--since", "2023-11-14T22:13:22Z"), [2]),
        (("--until", "2023-11-14T22:13:22Z"), [1]),
        (("--until", "2023-11-14"), [2, 1]),
        (("--since", "7d"), []),
        (("--limit", "1"), [2]),
    ],
)
def test_what_is_asked_for(place: Place, options: tuple[str, ...], numbers: list[int]) -> None:
    done = place.run("list", "--json", *options, TZ="UTC")
    assert listed(done) == [thread_id(number) for number in numbers]


def test_a_directory_as_the_shell_has_it(place: Place) -> None:
    """`.` and what else is relative is of where the user is."""
    folder = place.root / "user" / "work"
    folder.mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "rolloutd", "list", "--json", "--cwd", "../work"],
        cwd=folder,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )
    assert [each["id"] for each in json.loads(ended.stdout)["threads"]] == [thread_id(1)]


def test_page_after_page(place: Place) -> None:
    found: list[str] = []
    cursor: tuple[str, ...] = ()
    while True:
        done = place.run("list", "--json", "--all", "--limit", "2", *cursor)
        found += listed(done)
        if done.document["next_cursor"] is None:
            break
        cursor = ("--cursor", done.document["next_cursor"])
    assert found == [thread_id(number) for number in (3, 2, 1)]
    done = place.run("list", "--limit", "1")
    assert done.stderr.startswith("rolloutd: there are more: --cursor ")


def test_nothing_is_like_that(place: Place) -> None:
    done = place.run("list", "--search", "nothing")
    assert (done.code, done.stdout) == (0, "")
    assert done.stderr == "rolloutd: no thread is like that\n"
    assert listed(place.run("list", "--search", "nothing", "--json")) == []


def test_who_and_in_which_state_where_that_differs(place: Place) -> None:
    done = place.run("list", "--all", "--active", "--archived")
    assert "WHO" in done.stdout
    assert "STATE" in done.stdout
    assert [line.split()[2:4] for line in done.stdout.splitlines()[1:]] == [
        ["user", "archived"],
        ["subagent", "active"],
        ["user", "active"],
        ["user", "active"],
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--cursor", "x"), "allowed is the next_cursor of a list"),
        (("--since", "soon"), "allowed is a date (2026-01-31), a time"),
        (("--until", "2026-13-01"), "allowed is a date"),
        (("--sort", "size"), "allowed is created or updated or recency"),
        (("--order", "up"), "allowed is asc or desc"),
        (("--limit", "0"), "allowed is a number from 1 to 100000"),
        (("--limit", "many"), "allowed is a number"),
        (("--source", "nobody"), "allowed is one of user, exec, mcp, subagent, internal, cli"),
    ],
)
def test_what_is_not_allowed(place: Place, options: tuple[str, str], words: str) -> None:
    """One line, which says what is."""
    done = place.run("list", *options)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"rolloutd: {options[0]} {options[1]!r}: ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_stale_row_is_left_out_and_mended(place: Place) -> None:
    (place.home / watermark(2)).unlink()
    done = place.run("list", "--json")
    assert listed(done) == [thread_id(1)]
    told = "the index was wrong about 1 thread: mended (1 dropped: no file where it was)"
    assert done.stderr == f"rolloutd: {told}\n"
    assert dump(place.database) == place.fresh()
    assert place.run("list", "--json").stderr == ""


@pytest.mark.parametrize("first", ["--active", "--archived"])
def test_rows_of_moved_files_are_mended_and_listed_where_they_are(place: Place, first: str) -> None:
    file = place.home / watermark(1)
    moved = file.rename(place.home / "archived_sessions" / file.name)
    if first == "--active":
        assert listed(place.run("list", "--json")) == [thread_id(2)]
    done = place.run("list", "--json", "--archived")
    assert thread_id(1) in listed(done)
    mended = "rolloutd: the index was wrong about 1 thread: mended\n"
    assert done.stderr == ("" if first == "--active" else mended)
    assert str(moved) in {each["rollout_path"] for each in done.document["threads"]}
    assert dump(place.database) == place.fresh()


def test_what_cannot_be_mended_is_left_out_all_the_same(place: Place) -> None:
    (place.home / watermark(2)).unlink()
    hold(place)
    done = place.run("list", "--json")
    assert listed(done) == [thread_id(1)]
    assert "left to the holder of the work to mend (process 17 on elsewhere" in done.stderr


def test_a_database_that_may_not_be_written_is_read(place: Place) -> None:
    """What is stale is left out; that it could not be mended is told."""
    (place.home / watermark(2)).unlink()
    place.database.chmod(0o400)
    place.database.parent.chmod(0o500)
    done = place.run("list", "--json", prefix=without_privileges())
    assert listed(done) == [thread_id(1)]
    assert done.stderr.startswith("rolloutd: the index was wrong about 1 thread, and could not be")


def on_a_terminal(place: Place, *arguments: str, **environment: str) -> str:
    """What a terminal of 70 columns gets."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "rolloutd", *arguments],
        env=place.environment | {"TERM": "xterm", "COLUMNS": "70", **environment},
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        shown = b""
        try:
            while data := os.read(master, 65536):
                shown += data
        except OSError:  # Linux says the end of a terminal so
            pass
        process.wait(BOUND_SECONDS)
        os.close(master)
    assert process.returncode == 0, shown
    return shown.decode()


def test_colours_on_a_terminal_only_and_only_if_wanted(place: Place) -> None:
    assert on_a_terminal(place, "list").startswith("\x1b[1mID")
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b" not in on_a_terminal(place, "list", **plain)
    lines = on_a_terminal(place, "list", NO_COLOR="1").splitlines()
    assert max(map(len, lines)) <= 70
