"""Ordinary life: what changes in the home is in the database before anyone looks."""

import os
import random
import shutil
import signal
import sqlite3
import statistics
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from tests.daemon.living import append, is_true, living, wait_until_true
from tests.oracle.cases_build import meta, tokens, user
from tests.running import Place, dump, rows, thread_id, wait_until, watermark

pytestmark = pytest.mark.alone


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


def tokens_of(place: Place, number: int) -> int:
    found = rows(place.database, "SELECT tokens_used FROM threads WHERE id = ?", thread_id(number))
    return int(found[0][0]) if found else -1


def threads(place: Place) -> int:
    return int(rows(place.database, "SELECT count(*) FROM threads")[0][0])


def has_thread(place: Place, number: int) -> bool:
    return bool(rows(place.database, "SELECT 1 FROM threads WHERE id = ?", thread_id(number)))


def test_a_new_directory_with_a_file_at_once(place: Place) -> None:
    """200 of them, at moments that are spread over what the watch does about each."""
    spread = random.Random(7)
    with living(place) as daemon:
        for number in range(200):
            name = Path(watermark(number)).name
            place.thread(number, path=f"sessions/2026/{number // 28:02}/{number % 28:02}/{name}")
            if number % 10 == 9:
                wait_until(lambda number=number: threads(place) == number + 1, "all are seen", 2)  # type: ignore[misc]
            else:
                time.sleep(spread.uniform(0, 0.03))
        assert daemon.state is not None
        assert daemon.state.watch == "native"
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_appends_show_at_once(place: Place) -> None:
    """To four files at a time, each a little after the other."""
    ids = {thread_id(number): place.thread(number) for number in range(4)}
    query = "SELECT id FROM threads WHERE tokens_used = ?"
    took: list[float] = []
    with living(place), closing(sqlite3.connect(place.database)) as reader:
        for count in range(1, 31):
            began: dict[str, float] = {}
            for thread, path in ids.items():
                append(path, tokens(count))
                began[thread] = time.monotonic()

            def are_seen(began: dict[str, float] = began, count: int = count) -> bool:
                seen = {thread for (thread,) in reader.execute(query, (count,))} & began.keys()
                took.extend(time.monotonic() - began.pop(thread) for thread in seen)
                return not began

            wait_until(are_seen, "all are seen", 5)
    assert statistics.quantiles(took, n=100)[98] < 0.25, sorted(took)[-5:]


def test_a_steady_writer_does_not_starve_others(place: Place) -> None:
    busy, other = place.thread(1), place.thread(2)
    calm = threading.Event()

    def write() -> None:
        count = 0
        while not calm.wait(0.005):
            count += 1
            append(busy, tokens(count), user("x" * 200))

    with living(place) as daemon:
        writer = threading.Thread(target=write)
        writer.start()
        try:
            for count in range(1, 13):
                append(other, tokens(count))
                wait_until(lambda count=count: tokens_of(place, 2) == count, "it is seen", 1)  # type: ignore[misc]
        finally:
            calm.set()
            writer.join()
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_others_do_not_wait_for_a_large_file(place: Place) -> None:
    other = place.thread(2)
    with living(place) as daemon:
        large = place.root / "large"
        line = user("x" * 100_000) + b"\n"
        with large.open("wb") as file:
            file.write(meta().replace(b"@id@", thread_id(1).encode()) + b"\n")
            for _ in range(3000):
                file.write(line)
        target = place.home / watermark(1)
        target.parent.mkdir(parents=True, exist_ok=True)
        large.rename(target)
        seen = 0
        while not has_thread(place, 1):
            seen += 1
            append(other, tokens(seen))
            wait_until(lambda: tokens_of(place, 2) == seen, "it is seen", 1)  # noqa: B023
        assert seen > 3
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_archive_compress_delete_rewrite(place: Place) -> None:
    for number in range(6):
        place.thread(number)
    paths = [place.home / watermark(number) for number in range(6)]
    archived = place.home / watermark(0, root="archived_sessions")
    with living(place) as daemon:
        archived.parent.mkdir()
        paths[0].rename(archived)
        wait_until_true(place)
        archived.rename(paths[0])
        wait_until_true(place)
        packed = paths[1].with_name(paths[1].name + ".zst")
        packed.write_bytes(zstandard.ZstdCompressor().compress(paths[1].read_bytes()))
        paths[1].unlink()
        wait_until_true(place)
        paths[1].write_bytes(zstandard.ZstdDecompressor().decompress(packed.read_bytes()))
        wait_until_true(place)
        packed.unlink()
        paths[2].unlink()
        status = paths[3].stat()
        paths[3].write_bytes(paths[3].read_bytes().replace(b"prompt", b"PROMPT"))
        os.utime(paths[3], ns=(status.st_atime_ns, status.st_mtime_ns))
        os.truncate(paths[4], paths[4].stat().st_size // 2)
        os.utime(paths[5], (1, 1))
        wait_until_true(place)
        shutil.copy(paths[5], place.home / "archived_sessions")
        (place.home / "session_index.jsonl").write_text(
            f'{{"id":"{thread_id(3)}","thread_name":"named"}}\n'
        )
        wait_until_true(place)
        shutil.rmtree(paths[3].parent)
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_an_archived_thread_is_never_absent(place: Place) -> None:
    path = place.thread(1)
    archived = place.home / watermark(1, root="archived_sessions")
    with living(place):
        for root in (archived, path, archived):
            root.parent.mkdir(exist_ok=True)
            (path if root is archived else archived).rename(root)
            check = is_true(place)

            def seen(check: object = check) -> bool:
                assert has_thread(place, 1)
                return check()  # type: ignore[operator, no-any-return]

            wait_until(seen, "it is seen", 5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_asked(place: Place, number: signal.Signals) -> None:
    place.thread(1)
    with living(place) as daemon:
        daemon.stop(number)
    assert dump(place.database) == place.fresh()


def test_what_happened_while_none_ran(place: Place) -> None:
    paths = [place.thread(number) for number in range(5)]
    with living(place) as daemon:
        daemon.process.kill()
    append(paths[0], tokens(5))
    paths[1].unlink()
    place.thread(7)
    with living(place) as daemon:
        wait_until_true(place, 5)
        daemon.stop()
    assert dump(place.database) == place.fresh()
