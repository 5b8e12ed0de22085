"""The pass and the reconcile: whatever led to it, the database equals a fresh one."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from rolloutd.batches import Stopped, Terms
from rolloutd.errors import ConfigurationError, HomeUnavailable
from rolloutd.progress import QuietObserver
from tests.oracle.cases_build import dumps, meta, named, user
from tests.running import (
    change,
    dump,
    fresh,
    index,
    rows,
    state_of,
    thread_id,
    watermark,
    write,
)

FEW = Terms(batch_size=5)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "codex"
    (path / "sessions").mkdir(parents=True)
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.sqlite"


def fill(home: Path, count: int) -> int:
    """Write threads 0 to `count`; returns the bytes that they are."""
    return sum(write(home, watermark(n), number=n).stat().st_size for n in range(count))


def test_everything_is_indexed_and_the_state_is_complete(home: Path, database: Path) -> None:
    size = fill(home, 23)
    report = index(home, database, terms=FEW)
    assert (report.status, report.scanned, report.upserted, report.failed) == (
        "complete",
        23,
        23,
        0,
    )
    assert (report.bytes, report.failures, report.removed) == (size, [], 0)
    state = state_of(database)
    assert (state["status"], state["last_watermark"]) == ("complete", watermark(22))
    assert (state["total"], state["scanned"], state["upserted"]) == (23, 23, 23)
    assert state["owner_token"] is None
    found = rows(database, "SELECT id FROM threads ORDER BY id")
    assert found == [(thread_id(number),) for number in range(23)]


class Watcher(QuietObserver):
    """Notes how far the database was whenever a file was done."""

    def __init__(self, database: Path) -> None:
        super().__init__()
        self._database = database
        self.expected: list[tuple[int, int]] = []
        self.seen: list[tuple[int, str | None, int]] = []
        self.totals: set[int] = set()

    def expect(self, files: int, size: int) -> None:
        self.expected.append((files, size))

    def advance(self, files: int, size: int) -> None:  # noqa: ARG002
        if files:
            state = state_of(self._database)
            self.totals.add(state["total"])
            [(count,)] = rows(self._database, "SELECT count(*) FROM rollouts")
            self.seen.append((state["scanned"], state["last_watermark"], count))


def test_rows_and_checkpoint_move_in_batches(home: Path, database: Path) -> None:
    size = fill(home, 12)
    watcher = Watcher(database)
    index(home, database, terms=FEW, observer=watcher)
    assert watcher.expected[0] == (12, size)
    assert watcher.totals == {12}
    nothing, five, ten = (0, None, 0), (5, watermark(4), 5), (10, watermark(9), 10)
    assert watcher.seen == [nothing] * 5 + [five] * 5 + [ten] * 2


def stop_after(database: Path, files: int) -> Callable[[], bool]:
    return lambda: bool(state_of(database)["scanned"] >= files)


def test_it_goes_on_from_the_watermark_and_marks_complete(home: Path, database: Path) -> None:
    size = fill(home, 300)
    with pytest.raises(Stopped):
        index(home, database, terms=FEW, stopping=stop_after(database, 10))
    state = state_of(database)
    assert (state["status"], state["reason"]) == ("pending", "interrupted")
    assert state["owner_token"] is None
    done = state["scanned"]
    assert 10 <= done <= 15  # it finishes the batch that it is at
    assert state["last_watermark"] == watermark(done - 1)
    assert len(rows(database, "SELECT 1 FROM threads")) == done

    report = index(home, database, terms=FEW)
    assert (report.status, report.scanned, report.upserted) == ("complete", 300, 300)
    assert report.bytes < size * (300 - done + 1) / 300
    assert dump(database) == fresh(home)


def test_what_changed_behind_the_watermark_is_seen_at_the_end(home: Path, database: Path) -> None:
    fill(home, 300)
    with pytest.raises(Stopped):
        index(home, database, terms=FEW, stopping=stop_after(database, 10))
    write(home, watermark(2), meta(), user("another prompt"), number=2)
    (home / watermark(3)).unlink()
    write(home, watermark(0, root="archived_sessions"), number=999)
    index(home, database)
    assert dump(database) == fresh(home)


def test_nothing_changed_and_nothing_is_read(home: Path, database: Path) -> None:
    fill(home, 5)
    index(home, database)
    before = dump(database)
    report = index(home, database)
    assert (report.scanned, report.upserted, report.removed, report.bytes) == (5, 0, 0, 0)
    assert dump(database) == before


def test_an_append_costs_what_was_appended(home: Path, database: Path) -> None:
    path = write(home, watermark(1), meta(), *[user("x" * 1000)] * 1000, number=1)
    index(home, database)
    addition = named("later") + b"\n"
    with path.open("ab") as file:
        file.write(addition.replace(b"@id@", thread_id(1).encode()))
    report = index(home, database)
    assert report.bytes < len(addition) + 4096
    assert rows(database, "SELECT title FROM threads") == [("later",)]
    assert dump(database) == fresh(home)


def append(home: Path) -> None:
    with (home / watermark(2)).open("ab") as file:
        file.write(named("an addition").replace(b"@id@", thread_id(2).encode()) + b"\n")


def append_half(home: Path) -> None:
    with (home / watermark(2)).open("ab") as file:
        file.write(b'{"timestamp":"2026-01-02T03:04:05.678Z","type":"event_')


def append_unended(home: Path) -> None:
    with (home / watermark(2)).open("ab") as file:
        file.write(named("unended").replace(b"@id@", thread_id(2).encode()))


def rewrite(home: Path) -> None:
    write(home, watermark(2), meta(cwd="/elsewhere"), user("something else, longer"), number=2)


def rewrite_in_place_with_its_time(home: Path) -> None:
    path = home / watermark(2)
    status, content = path.stat(), path.read_bytes()
    with path.open("r+b") as file:
        file.write(content.replace(b"prompt 2", b"PROMPT 2"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def rewrite_in_the_middle(home: Path) -> None:
    path = home / "sessions" / "rollout-large.jsonl"
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.write(content.replace(b"in the middle", b"IN THE MIDDLE"))


def rewrite_as_another_thread(home: Path) -> None:
    write(home, watermark(2), number=77)


def shorten(home: Path) -> None:
    path = home / watermark(2)
    os.truncate(path, path.stat().st_size - 30)


def to_nothing(home: Path) -> None:
    os.truncate(home / watermark(2), 0)


def delete(home: Path) -> None:
    (home / watermark(2)).unlink()


def delete_folder(home: Path) -> None:
    for path in (home / "sessions").rglob("*.jsonl"):
        path.unlink()
    for path in sorted((home / "sessions").rglob("*"), reverse=True):
        path.rmdir()


def archive(home: Path) -> None:
    (home / "archived_sessions").mkdir(exist_ok=True)
    name = Path(watermark(2)).name
    (home / watermark(2)).rename(home / "archived_sessions" / name)


def archive_and_back(home: Path) -> None:
    archive(home)
    name = Path(watermark(2)).name
    (home / "archived_sessions" / name).rename(home / watermark(2))


def compress(home: Path) -> None:
    path = home / watermark(2)
    packed = home / watermark(2, ending=".jsonl.zst")
    packed.write_bytes(zstandard.ZstdCompressor().compress(path.read_bytes()))
    path.unlink()


def touch(home: Path) -> None:
    os.utime(home / watermark(2), ns=(1, 1_600_000_000_000_000_000))


def rename(home: Path) -> None:
    (home / watermark(2)).rename(home / "sessions" / f"rollout-{thread_id(2)}.jsonl")


def replace_by_a_copy(home: Path) -> None:
    path = home / watermark(2)
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


def second_file_of_the_thread(home: Path) -> None:
    write(home, f"sessions/rollout-0-{thread_id(2)}.jsonl", meta(), user("earlier"), number=2)


def becomes_a_fifo(home: Path) -> None:
    path = home / watermark(2)
    path.unlink()
    os.mkfifo(path)


def becomes_a_link(home: Path) -> None:
    path = home / watermark(2)
    path.rename(home / "away")
    path.symlink_to(home / "away")


def becomes_a_directory(home: Path) -> None:
    path = home / watermark(2)
    path.unlink()
    path.mkdir()
    write(home, f"{watermark(2)}/rollout-inside.jsonl", number=60)


CHANGES = (
    append,
    append_half,
    append_unended,
    rewrite,
    rewrite_in_place_with_its_time,
    rewrite_in_the_middle,
    rewrite_as_another_thread,
    shorten,
    to_nothing,
    delete,
    delete_folder,
    archive,
    archive_and_back,
    compress,
    touch,
    rename,
    replace_by_a_copy,
    second_file_of_the_thread,
    becomes_a_fifo,
    becomes_a_link,
    becomes_a_directory,
)


@pytest.mark.parametrize("changing", CHANGES)
def test_a_reconcile_ends_where_a_fresh_backfill_does(
    home: Path, database: Path, changing: Callable[[Path], None]
) -> None:
    fill(home, 4)
    padding = [b"{}" + b" " * 9000]
    large = [*padding, meta(), user("in the middle"), *padding]
    write(home, "sessions/rollout-large.jsonl", *large, number=50)
    index(home, database)
    before = dump(database)
    changing(home)
    report = index(home, database, terms=FEW)
    after = dump(database)
    assert report.status == "complete"
    assert after == fresh(home)
    assert after != before


def test_a_compressed_copy_beside_a_plain_file_does_not_count(home: Path, database: Path) -> None:
    fill(home, 4)
    index(home, database)
    before = dump(database)
    packed = home / watermark(2, ending=".jsonl.zst")
    packed.write_bytes(zstandard.ZstdCompressor().compress(b"something else"))
    index(home, database)
    assert dump(database) == before == fresh(home)


def test_what_was_unended_and_then_ended_is_folded_once(home: Path, database: Path) -> None:
    path = write(home, watermark(1), meta(), number=1)
    whole = user("a message that comes in pieces") + b"\n" + b"\n"
    index(home, database)
    for start in range(0, len(whole), 40):
        with path.open("ab") as file:
            file.write(whole[start : start + 40])
        index(home, database)
    after = dump(database)
    assert after["rollouts"][0]["parse_errors"] == 0
    assert after == fresh(home)


def test_a_failed_file_is_tried_again_when_it_changes(home: Path, database: Path) -> None:
    path = home / watermark(1)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    report = index(home, database)
    assert (report.scanned, report.upserted, report.failed) == (1, 0, 1)
    assert report.failures == [(watermark(1), "empty")]
    report = index(home, database)
    assert (report.upserted, report.failed, report.bytes) == (0, 1, 0)
    write(home, watermark(1), number=1)
    report = index(home, database)
    assert (report.upserted, report.failed, report.failures) == (1, 0, [])
    assert dump(database) == fresh(home)


@pytest.mark.parametrize(("missing", "said"), [("home", "no such"), ("sessions", "no sessions/")])
def test_nothing_to_read_is_not_a_backfill_of_nothing(
    home: Path, database: Path, missing: str, said: str
) -> None:
    (home / "sessions").rmdir()
    if missing == "home":
        home.rmdir()
    with pytest.raises(HomeUnavailable, match=said):
        index(home, database)
    state = state_of(database)
    assert state["status"] == "pending"
    assert said in state["reason"]
    assert state["owner_token"] is None
    fill(home, 2)
    assert index(home, database).status == "complete"
    assert dump(database) == fresh(home)


def test_an_empty_sessions_is_complete(home: Path, database: Path) -> None:
    report = index(home, database)
    assert (report.status, report.scanned) == ("complete", 0)
    fill(home, 2)
    assert index(home, database).upserted == 2
    assert dump(database) == fresh(home)


def test_rows_are_kept_when_the_home_is_not_there(home: Path, database: Path) -> None:
    fill(home, 3)
    write(home, watermark(9, root="archived_sessions"), number=9)
    index(home, database)
    before = dump(database)
    for root in ("sessions", ""):
        away = home.parent / "away"
        (home / root).rename(away)
        with pytest.raises(HomeUnavailable):
            index(home, database)
        for table in ("threads", "rollouts"):
            assert dump(database)[table] == before[table]
        away.rename(home / root)
    index(home, database)
    assert dump(database) == before


def test_rows_of_a_root_that_is_not_there_are_kept(home: Path, database: Path) -> None:
    fill(home, 1)
    write(home, watermark(9, root="archived_sessions"), number=9)
    index(home, database)
    before = dump(database)
    (home / "archived_sessions").rename(home / "away")
    assert index(home, database).removed == 0
    assert dump(database) == before
    (home / "away").rename(home / "archived_sessions")
    (home / watermark(9, root="archived_sessions")).unlink()
    assert index(home, database).removed == 1
    assert dump(database) == fresh(home)


def test_rows_follow_the_default_provider(home: Path, database: Path) -> None:
    write(home, watermark(1), meta(model_provider=...), user(), number=1)
    write(home, watermark(2), number=2)
    index(home, database, provider="one")
    query = "SELECT model_provider FROM threads ORDER BY id"
    assert rows(database, query) == [("one",), ("openai",)]
    assert index(home, database, provider="two").bytes == 0
    assert rows(database, query) == [("two",), ("openai",)]
    assert dump(database) == fresh(home, provider="two")


def test_names_follow_the_session_index(home: Path, database: Path) -> None:
    fill(home, 3)
    file = home / "session_index.jsonl"

    def entry(number: int, name: str) -> str:
        return dumps({"id": thread_id(number), "thread_name": name}) + "\n"

    query = "SELECT name FROM threads ORDER BY id"
    contents: dict[str, list[str | None]] = {
        entry(0, "a") + entry(1, "b"): ["a", "b", None],
        entry(0, "a") + "garbage\n" + entry(0, "c") + entry(2, "d"): ["c", None, "d"],
        "": [None, None, None],
    }
    index(home, database)
    for content, names in contents.items():
        file.write_text(content)
        assert index(home, database).bytes == 0
        assert rows(database, query) == [(name,) for name in names]
        assert dump(database) == fresh(home)
    file.write_text(entry(1, "last"))
    index(home, database)
    file.unlink()
    index(home, database)
    assert dump(database) == fresh(home)


@pytest.mark.parametrize("kind", ["directory", "fifo", "dangling link"])
def test_a_session_index_that_is_no_file_says_nothing(
    home: Path, database: Path, kind: str
) -> None:
    fill(home, 1)
    file = home / "session_index.jsonl"
    match kind:
        case "directory":
            file.mkdir()
        case "fifo":
            os.mkfifo(file)
        case _:
            file.symlink_to(home / "nowhere")
    assert index(home, database).status == "complete"


def test_rows_of_an_older_parser_are_read_again(home: Path, database: Path) -> None:
    size = fill(home, 3)
    index(home, database)
    change(database, "UPDATE rollouts SET parser_version = 0, summary = '{}'")
    assert index(home, database).bytes == size
    assert dump(database) == fresh(home)


def test_another_homes_database_is_left_as_it_is(home: Path, database: Path) -> None:
    fill(home, 1)
    index(home, database)
    before = dump(database)
    other = home.parent / "other"
    fill(other, 2)
    with pytest.raises(ConfigurationError, match="is the index of"):
        index(other, database)
    assert dump(database) == before


PLANTED = (
    "UPDATE threads SET title = 'planted', git_sha = 'planted'",
    "UPDATE rollouts SET summary = '{}', lines = 99",
    (
        "INSERT INTO threads (id, rollout_path, created_at, updated_at, source, model_provider,"
        " cwd, title, sandbox_policy, approval_mode)"
        " VALUES ('stray', '', 1, 1, '', '', '', '', '', '')"
    ),
    "INSERT INTO thread_dynamic_tools SELECT id, 0, 'n', 'd', 's', 0, NULL FROM threads",
    "INSERT INTO thread_dynamic_tools VALUES ('no one', 0, 'n', 'd', 's', 0, NULL)",
    "INSERT INTO thread_spawn_edges SELECT 'parent', id, 'open' FROM threads",
    "INSERT INTO thread_spawn_edges VALUES ('nobody', 'nobody', 'open')",
    "INSERT INTO session_names VALUES ('nobody', 'planted')",
    (
        "INSERT INTO rollouts (path, thread_id, archived, encoding, lines, parse_errors,"
        " summary, parser_version, indexed_at_ms)"
        " VALUES ('sessions/x', 'stray', 0, 'plain', 1, 0, '{}', 1, 1)"
    ),
)


def test_a_rebuild_reads_all_again_and_leaves_nothing_planted(home: Path, database: Path) -> None:
    size = fill(home, 30)
    index(home, database)
    expected = dump(database)
    for statement in PLANTED:
        change(database, statement)
    report = index(home, database, rebuild=True, terms=FEW)
    assert (report.status, report.scanned, report.upserted, report.bytes) == (
        "complete",
        30,
        30,
        size,
    )
    assert dump(database) == expected == fresh(home)


def test_a_rebuild_that_was_stopped_goes_on_as_one(home: Path, database: Path) -> None:
    fill(home, 300)
    index(home, database)
    change(database, "UPDATE threads SET title = 'planted'")
    with pytest.raises(Stopped):
        index(home, database, rebuild=True, terms=FEW, stopping=stop_after(database, 10))
    state = state_of(database)
    assert state["status"] == "pending"
    assert len(rows(database, "SELECT 1 FROM threads")) == 300
    index(home, database)
    assert dump(database) == fresh(home)
