"""From files to rows, one home at a time; what upstream's own tests of this meant is here too."""

from collections.abc import Callable
from contextlib import suppress
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from rolloutd.batches import Terms
from rolloutd.indexer import LONG_FILES, Indexer
from rolloutd.records import Cursor, FileStamp, Reading, Summary
from rolloutd.rollout.reading import read_rollout
from rolloutd.state import rollouts
from rolloutd.state.connections import Connection
from rolloutd.state.database import StateDatabase
from tests.oracle.cases_build import dumps, meta, named, tokens, turn, user
from tests.running import fresh, index, rows, tables_of, thread_id, watermark, write

CURSOR = Cursor(FileStamp(device=1, inode=2, size=3, mtime_ns=4, ctime_ns=5), 3, "")
GIT = {"commit_hash": "abc", "branch": "main"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "codex"
    (path / "sessions").mkdir(parents=True)
    return path


def only_row(home: Path) -> dict[str, Any]:
    """The one thread that a fresh backfill of the home finds."""
    [row] = fresh(home)["threads"]
    return row


def test_metadata_comes_from_the_session_meta(home: Path) -> None:
    path = write(
        home,
        watermark(1),
        meta(cwd="/w", model_provider="mine", cli_version="9", git=GIT, agent_nickname="Tesla"),
        turn(model="gpt-x", effort="low"),
        user("do it"),
        tokens(42),
        number=1,
    )
    row = only_row(home)
    expected = {
        "id": thread_id(1),
        "rollout_path": str(path),
        "cwd": "/w",
        "model_provider": "mine",
        "cli_version": "9",
        "source": "cli",
        "git_sha": "abc",
        "git_branch": "main",
        "git_origin_url": None,
        "agent_nickname": "Tesla",
        "model": "gpt-x",
        "reasoning_effort": "low",
        "tokens_used": 42,
        "title": "do it",
        "first_user_message": "do it",
        "preview": "do it",
        "has_user_event": 1,
        "archived": 0,
        "archived_at": None,
        "created_at_ms": 1_767_323_045_678,
        "updated_at_ms": path.stat().st_mtime_ns // 1_000_000,
    }
    assert {name: row[name] for name in expected} == expected


def test_the_latest_memory_mode_counts(home: Path) -> None:
    write(
        home,
        watermark(1),
        meta(memory_mode="enabled"),
        meta(memory_mode="polluted"),
        meta(memory_mode=None),
        user(),
        number=1,
    )
    assert only_row(home)["memory_mode"] == "polluted"


def test_without_a_session_meta_the_file_name_tells(home: Path) -> None:
    name = f"rollout-2026-01-27T12-34-56-{thread_id(7)}.jsonl"
    write(home, f"sessions/{name}", turn(), user(), number=1)
    row = only_row(home)
    assert (row["id"], row["created_at"]) == (thread_id(7), 1_769_517_296)


def test_the_record_is_trusted_over_the_name(home: Path) -> None:
    write(home, watermark(5), number=6)
    assert only_row(home)["id"] == thread_id(6)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/a/./b/../c/", "/a/c"),
        ("//a", "/a"),
        ("/", "/"),
        ("/nowhere/at/all", "/nowhere/at/all"),
    ],
)
def test_the_working_directory_is_normalised_without_a_look_at_it(
    home: Path, written: str, read: str
) -> None:
    write(home, watermark(1), meta(cwd=written), user(), number=1)
    assert only_row(home)["cwd"] == read


def segment(number: int, second: int) -> str:
    """The name of a further file of a thread."""
    stamp = f"2026-01-02T03-04-{second:02}"
    return f"sessions/2026/01/02/rollout-{stamp}-{thread_id(number)}.jsonl"


def test_git_that_is_there_is_kept_and_what_is_missing_is_filled_in(home: Path) -> None:
    later = {"commit_hash": "def", "branch": "other", "repository_url": "https://x"}
    write(home, segment(1, 1), meta(git=GIT), user(), number=1)
    write(home, segment(1, 2), meta(git=later), user(), number=1)
    row = only_row(home)
    assert (row["git_sha"], row["git_branch"]) == ("abc", "main")
    assert row["git_origin_url"] == "https://x"


def test_the_files_of_one_thread_make_the_same_row_in_every_order(tmp_path: Path) -> None:
    pieces = {
        segment(1, 1): (meta(git=GIT, cwd="/one"), user("first"), tokens(5)),
        segment(1, 2): (meta(cwd="/two"), turn(model="later"), user("second"), tokens(9)),
        segment(1, 3): (meta(cwd="/three"), named("a name")),
    }
    rows_seen = []
    for number, order in enumerate(permutations(pieces)):
        home = tmp_path / str(number) / "codex"
        (home / "sessions").mkdir(parents=True)
        index(home, home.parent / "state.sqlite")
        for path in order:
            write(home, path, *pieces[path], number=1)
            if path != order[0]:
                index(home, home.parent / "state.sqlite")
        columns = "cwd, model, title, name, preview, tokens_used, git_sha, rollout_path"
        [row] = rows(home.parent / "state.sqlite", f"SELECT {columns} FROM threads")
        rows_seen.append((*row[:-1], Path(row[-1]).name))
    last = Path(segment(1, 3)).name
    expected = ("/three", None, "a name", "a name", "first", 9, "abc", last)
    assert rows_seen == [expected] * 6


@pytest.fixture
def store(tmp_path: Path) -> Callable[..., list[tuple[Any, ...]]]:
    """Store readings in one database; returns the rows of `threads` after it."""

    def stored(*readings: Reading, gone: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        path = tmp_path / "state.sqlite"
        with StateDatabase.open_writer(path) as database, database.transaction() as connection:
            Indexer("/home", "openai").store(connection, readings, gone)
        return rows(path, "SELECT id, rollout_path, title FROM threads ORDER BY id")

    return stored


def reading(path: str, thread: str, title: str = "", error: str | None = None) -> Reading:
    return Reading(path, False, "plain", CURSOR, Summary(thread, title=title), error=error)


def test_a_file_that_turns_to_another_thread_leaves_the_first(
    store: Callable[..., list[tuple[Any, ...]]],
) -> None:
    assert store(reading("sessions/x", "a")) == [("a", "/home/sessions/x", "")]
    assert store(reading("sessions/x", "b")) == [("b", "/home/sessions/x", "")]


def test_a_file_that_fails_leaves_its_thread(
    store: Callable[..., list[tuple[Any, ...]]],
) -> None:
    store(reading("sessions/x", "a"), reading("sessions/y", "a", "why"))
    assert store(reading("sessions/y", "a", error="broken")) == [("a", "/home/sessions/x", "")]
    assert store(reading("sessions/x", "a", error="broken")) == []


def test_a_thread_lives_as_long_as_any_of_its_files(
    store: Callable[..., list[tuple[Any, ...]]],
) -> None:
    store(reading("sessions/x", "a", "one"), reading("sessions/y", "a", "two"))
    assert store(gone=("sessions/x",)) == [("a", "/home/sessions/y", "two")]
    assert store(gone=("sessions/y",)) == []
    assert store(gone=("sessions/never",)) == []


def test_many_threads_at_once(store: Callable[..., list[tuple[Any, ...]]]) -> None:
    many = [reading(f"sessions/{number}", f"{number:05}") for number in range(1203)]
    assert len(store(*many)) == 1203
    assert store(gone=tuple(each.path for each in many)) == []


def test_names_come_from_the_session_index_where_the_rollout_has_none(tmp_path: Path) -> None:
    def names(connection: Connection) -> list[Any]:
        return connection.execute("SELECT id, name FROM threads ORDER BY id").fetchall()

    indexer = Indexer("/home", "openai")
    own = Reading("sessions/y", False, "plain", CURSOR, Summary("b", name="own"))
    with (
        StateDatabase.open_writer(tmp_path / "state.sqlite") as database,
        database.transaction() as connection,
    ):
        indexer.store(connection, [reading("sessions/x", "a"), own])
        indexer.store_names(connection, {"a": "given", "b": "given", "z": "of nobody"})
        assert names(connection) == [("a", "given"), ("b", "own")]
        indexer.store_names(connection, {"b": "given"})
        assert names(connection) == [("a", None), ("b", "own")]


def test_names_that_were_there_before_the_thread(home: Path) -> None:
    entry = dumps({"id": thread_id(1), "thread_name": "given", "updated_at": "2026"})
    (home / "session_index.jsonl").write_text(entry + "\n")
    write(home, watermark(1), number=1)
    assert only_row(home)["name"] == "given"


def long_thread(home: Path, files: int) -> list[str]:
    """One thread in so many files, of two days; each with its own number of tokens."""
    paths = []
    for number in range(files):
        name = f"rollout-2026-01-02T03-04-05-{thread_id(1)}_{thread_id(number)}.jsonl"
        path = f"sessions/2026/01/{1 + number % 2:02}/{name}"
        write(home, path, meta(), user(f"prompt {number}"), tokens(number), number=1)
        paths.append(path)
    return paths


def test_a_thread_of_very_many_files_costs_no_more_for_each(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    decode = rollouts._decode

    def counted(summary: str) -> Summary:
        taken.append(summary)
        return decode(summary)

    monkeypatch.setattr(rollouts, "_decode", counted)
    cost = {}
    for files in (600, 1200):
        long_thread(home, files)
        for rebuild in (False, True):
            taken.clear()
            index(home, home.parent / f"{files}", rebuild=rebuild, terms=Terms(batch_size=20))
            cost[files, rebuild] = len(taken) / files
    for rebuild in (False, True):
        assert 1 < cost[1200, rebuild] < 1.3 * cost[600, rebuild], cost


def test_a_long_thread_whose_files_change_hands(home: Path) -> None:
    """Files of a long thread are rewritten, go, come, and become another thread's."""
    database = home.parent / "state.sqlite"
    paths = long_thread(home, 2 * LONG_FILES)
    index(home, database, terms=Terms(batch_size=50))
    for number, path in enumerate(paths[::7]):
        match number % 4:
            case 0:
                (home / path).unlink()
            case 1:
                write(home, path, meta(), user("rewritten"), tokens(10_000 + number), number=1)
            case 2:
                write(home, path, meta(), user("another's"), number=2)
            case _:
                (home / path).write_bytes(b"no rollout any more\n")
    write(home, "archived_sessions/rollout-x.jsonl", meta(), user("first"), number=1)
    index(home, database, terms=Terms(batch_size=5))
    assert tables_of(database, ["threads"]) == {"threads": fresh(home)["threads"]}
    for path in paths[LONG_FILES // 2 :]:
        (home / path).unlink(missing_ok=True)
    index(home, database, terms=Terms(batch_size=5))
    assert tables_of(database, ["threads"]) == {"threads": fresh(home)["threads"]}


def test_what_was_undone_is_not_remembered(home: Path, tmp_path: Path) -> None:
    """A lease that is lost, a disk that is full: the next claim begins with what is there."""
    paths = long_thread(home, LONG_FILES + 10)
    with StateDatabase.open_writer(tmp_path / "state.sqlite") as database:
        indexer = Indexer(str(home), "openai")
        readings = [read_rollout(str(home), path) for path in paths]
        with database.transaction() as connection:
            indexer.store(connection, readings[:-1])
        with suppress(RuntimeError), database.transaction() as connection:
            indexer.store(connection, readings[-1:])
            raise RuntimeError
        indexer.forget()
        with database.transaction() as connection:
            indexer.store(connection, readings[:1])
            assert connection.value("SELECT tokens_used FROM threads") == LONG_FILES + 7
