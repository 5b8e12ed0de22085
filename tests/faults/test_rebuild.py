"""`--rebuild` under the eyes of readers."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.faults.processes import stop_in_the_middle
from tests.running import Place, change, dump, rows, state_of

# With each in a batch of its own, a second of work at least: time to look at it.
FILES = 1500
QUERY = "SELECT (SELECT count(*) FROM threads), (SELECT count(*) FROM rollouts)"


def test_readers_never_see_less(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    for number in range(FILES):
        place.thread(number)
    place.index()
    expected = dump(place.database)
    change(place.database, "UPDATE threads SET title = 'planted'")
    change(place.database, "UPDATE rollouts SET summary = '{}', anchors = 'planted'")
    change(place.database, "INSERT INTO thread_spawn_edges VALUES ('nobody', 'stray', 'open')")

    looks = 0
    environment = {"ROLLOUTD_BACKFILL_BATCH_SIZE": "1"}
    with place.started("backfill", "--rebuild", "--json", **environment) as process:
        while process.poll() is None:
            assert rows(place.database, QUERY) == [(FILES, FILES)]
            looks += 1
        output, complaints = process.communicate()
    assert process.returncode == 0, (output, complaints)
    assert looks > 20
    assert dump(place.database) == expected == place.fresh()


def test_a_rebuild_that_was_killed_leaves_all_rows_and_is_finished_by_the_next(
    tmp_path: Path,
) -> None:
    place = Place.make(tmp_path)
    for number in range(FILES):
        place.thread(number)
    place.index()
    change(place.database, "UPDATE threads SET title = 'planted'")
    environment = {"ROLLOUTD_BACKFILL_BATCH_SIZE": "1"}
    with place.started("backfill", "--rebuild", **environment) as process:
        stop_in_the_middle(place, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = state_of(place.database)["scanned"]
    assert rows(place.database, QUERY) == [(FILES, FILES)]
    planted = "SELECT count(*) FROM threads WHERE title = 'planted'"
    assert rows(place.database, planted) == [(FILES - done,)]
    place.index()
    assert dump(place.database) == place.fresh()


def test_a_reader_that_looks_for_long_does_not_hold_up_the_work(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    place.thread(1)
    place.index()
    with closing(sqlite3.connect(place.database)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM threads").fetchone() == (1,)
        place.thread(2)
        place.index()
        assert reader.execute("SELECT count(*) FROM threads").fetchone() == (1,)
    assert dump(place.database) == place.fresh()
