"""`rolloutd show` and `rolloutd path`, as a user runs them."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from rolloutd.state.rollouts import DISTRUSTED
from tests.commands.test_list import hold
from tests.daemon.living import living, wait_until_true
from tests.oracle.cases_build import Json, meta, named, tokens, turn, user
from tests.running import BOUND_SECONDS, Place, change, dump, rows, thread_id, watermark

SEGMENT = watermark(1).replace(".jsonl", f"_{thread_id(9)}.jsonl")
SPAWN: Json = {"thread_spawn": {"parent_thread_id": thread_id(1), "depth": 1}}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A thread in two files, with a child, and an archived one."""
    place = Place.make(tmp_path)
    git = {"branch": "main", "commit_hash": "0" * 40}
    tools: Json = [{"name": "t", "description": "d", "inputSchema": {"type": "object"}}]
    first = meta(git=git, dynamic_tools=tools, cwd=f"{tmp_path}/user/work")
    place.thread(1, first, turn(), user("Fix the login"), tokens(1234))
    place.thread(1, meta(git=git), turn(), named("login"), b"garbage", path=SEGMENT)
    place.thread(2, meta(source={"subagent": SPAWN}), turn(), user("Look at this"))
    place.thread(3, meta(), user("Old"), path=watermark(3, root="archived_sessions"))
    place.index()
    return place


def point(place: Place, number: int, path: Path | str) -> None:
    statement = "UPDATE threads SET rollout_path = ? WHERE id = ?"
    change(place.database, statement, str(path), thread_id(number))


def test_one_line_for_the_shell(place: Place) -> None:
    for text in (thread_id(1), thread_id(1).upper(), "login"):
        done = place.run("path", text)
        assert (done.code, done.stdout, done.stderr) == (0, f"{place.home / SEGMENT}\n", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((thread_id(7),), f"no thread has the id {thread_id(7)}"),
        (("nothing",), "no thread has the id, or is named, 'nothing'"),
        (("ffff",), "no thread has the id, or is named, 'ffff'"),
        ((thread_id(1), "--archived"), f"{thread_id(1)} is active: "),
        ((thread_id(3), "--active"), f"{thread_id(3)} is archived: "),
    ],
)
def test_what_there_is_not(place: Place, arguments: tuple[str, ...], words: str) -> None:
    for command in ("path", "show"):
        done = place.run(command, *arguments)
        assert (done.code, done.stdout) == (1, "")
        assert done.stderr.startswith(f"rolloutd: {words}")
        assert len(done.stderr.splitlines()) == 1


def test_an_ambiguous_beginning_names_the_candidates(place: Place) -> None:
    for command in ("path", "show"):
        done = place.run(command, "0000")
        assert (done.code, done.stdout) == (1, "")
        head, *candidates = done.stderr.splitlines()
        assert head == "rolloutd: '0000' may be any of several threads:"
        assert [line.split()[0] for line in candidates] == [thread_id(each) for each in (1, 2, 3)]
        assert candidates[0].endswith("login")


def test_nothing_is_printed_of_what_cannot_be_verified(place: Place) -> None:
    (place.home / SEGMENT).write_bytes(b"")
    (place.home / watermark(1)).unlink()
    done = place.run("path", thread_id(1))
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr == f"rolloutd: {place.home / SEGMENT} cannot be verified: empty\n"
    shown = place.run("show", thread_id(1), "--json").document
    assert (shown["verified"], shown["problem"]) == (False, "empty")
    assert shown["thread"]["title"] == "login"


def test_everything_for_programs(place: Place) -> None:
    document = place.run("show", "login", "--json").document
    assert document["verified"] is True
    thread = document["thread"]
    assert (thread["id"], thread["title"], thread["archived"]) == (thread_id(1), "login", False)
    assert [file["path"] for file in document["files"]] == [watermark(1), SEGMENT]
    assert [file["parse_errors"] for file in document["files"]] == [0, 1]
    assert document["tools"][0]["input_schema"] == {"type": "object"}
    assert document["parent"] is None
    assert [child["id"] for child in document["children"]] == [thread_id(2)]
    child = place.run("show", thread_id(2), "--json").document
    assert (child["parent"]["id"], child["parent"]["title"]) == (thread_id(1), "login")


def test_everything_for_people(place: Place) -> None:
    done = place.run("show", "login")
    assert (done.code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    told = {line[:11].strip(): line[11:] for line in lines if line[:11].strip()}
    assert told["thread"] == thread_id(1)
    assert told["title"] == told["name"] == "login"
    assert told["message"] == "Fix the login"
    assert told["tokens"] == "1.2k"
    assert told["tools"] == "t"
    assert told["where"] == "/work"
    assert told["children"] == f"{thread_id(2)}  Look at this"
    assert told["files"].startswith(watermark(1))
    assert any(SEGMENT in line and "1 skipped" in line for line in lines)
    assert any(line.strip() == f"main at {'0' * 12}" for line in lines)
    assert "archived" in place.run("show", thread_id(3)).stdout
    assert f"parent     {thread_id(1)}  login" in place.run("show", thread_id(2)).stdout


@pytest.mark.parametrize("wrong", ["nothing", "another"])
def test_a_wrong_row_is_told_and_mended(place: Place, wrong: str) -> None:
    before = dump(place.database)
    other = place.home / watermark(2)
    point(place, 1, "/nothing" if wrong == "nothing" else other)
    done = place.run("path", thread_id(1))
    assert (done.code, done.stdout) == (0, f"{place.home / SEGMENT}\n")
    told, mended = done.stderr.splitlines()
    where = "nothing: /nothing" if wrong == "nothing" else f"the file of {thread_id(2)}: {other}"
    assert told == f"rolloutd: the row of {thread_id(1)} points at {where}"
    assert mended == "rolloutd: the index was wrong about 1 thread: mended"
    assert dump(place.database) == before
    assert place.run("path", thread_id(1)).stderr == ""


@pytest.mark.parametrize("is_archived", [True, False])
def test_each_of_its_files_is_looked_for(place: Place, *, is_archived: bool) -> None:
    """The row points at the last of them."""
    first = place.home / watermark(1)
    if is_archived:
        first.rename(place.home / watermark(1, root="archived_sessions"))
    else:
        first.unlink()
    done = place.run("show", thread_id(1), "--json")
    told, mended = done.stderr.splitlines()
    assert told.endswith(f"the row of {thread_id(1)} rests on what is not there: {watermark(1)}")
    assert mended.endswith("wrong about 1 thread: mended")
    paths = [file["path"] for file in done.document["files"]]
    moved = [watermark(1, root="archived_sessions")] if is_archived else []
    assert paths == sorted([*moved, SEGMENT])
    assert dump(place.database) == place.fresh()


def test_a_file_that_is_away_is_marked(place: Place) -> None:
    (place.home / "sessions").rename(place.home / "away")
    done = place.run("show", thread_id(1))
    assert f"{watermark(1)} (not there)" in done.stdout


def test_a_thread_that_is_gone_is_mended_away(place: Place) -> None:
    (place.home / watermark(2)).unlink()
    done = place.run("show", thread_id(2))
    assert (done.code, done.stdout) == (1, "")
    assert "points at nothing" in done.stderr
    assert done.stderr.splitlines()[-1] == f"rolloutd: no thread has the id {thread_id(2)}"
    assert dump(place.database) == place.fresh()


def test_an_unindexed_thread_is_found_shown_and_indexed(place: Place) -> None:
    file = place.thread(5, meta(), turn(), user("New"))
    shown = place.run("show", thread_id(5), "--json")
    assert shown.document["thread"]["rollout_path"] == str(file)
    assert shown.document["thread"]["title"] == "New"
    assert dump(place.database) == place.fresh()


def test_where_somebody_else_holds_the_work_the_files_tell(place: Place) -> None:
    """Nothing is written but the mark; what is shown is right all the same."""
    file = place.thread(5, meta(source={"subagent": SPAWN}), turn(), user("New"))
    point(place, 1, "/nothing")
    hold(place)
    before = rows(place.database, "SELECT * FROM threads ORDER BY id")
    shown = place.run("show", thread_id(5), "--json")
    assert shown.document["thread"]["rollout_path"] == str(file)
    assert shown.document["parent"]["id"] == thread_id(1)
    assert "left to the holder of the work to mend (process 17 on elsewhere" in shown.stderr
    shown = place.run("show", thread_id(1), "--json")
    assert shown.document["thread"]["rollout_path"] == str(place.home / SEGMENT)
    assert [child["id"] for child in shown.document["children"]] == [thread_id(2)]
    assert rows(place.database, "SELECT * FROM threads ORDER BY id") == before
    marked = "SELECT path FROM rollouts WHERE parser_version = ? ORDER BY path"
    assert rows(place.database, marked, DISTRUSTED) == [(watermark(1),), (SEGMENT,)]


def test_the_daemon_mends_what_it_is_left(place: Place) -> None:
    """Two writers never fight: the one that keeps the database is told what not to build upon."""
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        daemon.wait_for("following")
        point(place, 1, "/nothing")
        done = place.run("path", thread_id(1))
        assert done.stdout == f"{place.home / SEGMENT}\n"
        assert "left to the holder of the work to mend (process " in done.stderr
        wait_until_true(place)


@pytest.mark.parametrize("command", ["path", "show"])
def test_the_files_alone(place: Place, command: str) -> None:
    place.database.write_bytes(b"not even a database" * 100)
    for text in (thread_id(1), thread_id(1).upper(), "login"):
        done = place.run(command, text, "--from-files")
        assert (done.code, done.stderr) == (0, "")
        assert str(SEGMENT) in done.stdout
    assert place.run(command, "nothing", "--from-files").code == 1
    assert place.run(command, thread_id(7), "--from-files").code == 1
    assert place.run(command, thread_id(3), "--archived", "--from-files").code == 0


def test_the_home_is_left_as_it_was(place: Place) -> None:
    def state() -> list[tuple[str, int, int]]:
        return sorted(
            (str(each), each.stat().st_mtime_ns, each.stat().st_ctime_ns)
            for each in (place.home, *place.home.rglob("*"))
        )

    point(place, 1, "/nothing")
    before = state()
    for arguments in (("path", thread_id(1)), ("show", "login"), ("list", "--from-files")):
        assert place.run(*arguments).code == 0
    assert state() == before
    assert place.database.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("command", ["path", "show"])
@pytest.mark.parametrize("more", [(), ("--from-files",)])
def test_nothing_is_no_thread(place: Place, command: str, more: tuple[str, ...]) -> None:
    """As where a variable of the shell is not set."""
    done = place.run(command, "", *more)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("rolloutd: THREAD ''")


def test_who_has_asked_does_not_wait_for_the_mending(place: Place) -> None:
    archive = place.home / "archived_sessions"
    file = place.home / watermark(2)
    moved = file.rename(archive / file.name)
    with closing(sqlite3.connect(place.database)) as other:
        other.execute("BEGIN IMMEDIATE")
        for command in (("path", thread_id(2)), ("list", "--all", "--archived", "--active")):
            began = time.monotonic()
            with place.started(*command) as process:
                assert process.stdout is not None
                assert process.stdout.readline()
                process.communicate(timeout=BOUND_SECONDS)
                assert process.returncode == 0
            assert time.monotonic() - began < 8
    done = place.run("path", thread_id(2))
    assert (done.code, done.stdout) == (0, f"{moved}\n")
    assert "mended" in done.stderr


def test_a_name_or_title_that_no_row_has_yet(place: Place) -> None:
    file = place.thread(8, meta(), turn(), user("brand new"))
    for command in ("path", "show"):
        done = place.run(command, "brand new")
        assert done.code == 0, done
        assert str(file) in done.stdout or thread_id(8) in done.stdout
        assert "the index was wrong about 1 thread: mended" in done.stderr
        change(place.database, "DELETE FROM threads WHERE id = ?", thread_id(8))
        change(place.database, "DELETE FROM rollouts WHERE thread_id = ?", thread_id(8))
    assert place.run("path", "brand").code == 1


def test_what_a_file_is_called_does_not_reach_the_terminal(place: Place) -> None:
    place.thread(9, path="sessions/rollout-\x1b]0;owned\x07.jsonl")
    place.index()
    (place.home / "sessions/rollout-\x1b]0;owned\x07.jsonl").rename(
        place.home / "sessions/rollout-\x1b]0;other\x07.jsonl"
    )
    done = place.run("show", thread_id(9), "--archived")
    assert done.code == 1
    assert "\\x1b]0;owned\\x07" in done.stderr
    assert "\\x1b]0;other\\x07" in done.stderr
    assert not {"\x1b", "\x07"} & set(done.stderr)
