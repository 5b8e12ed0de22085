"""After an upgrade: what another version has read is read again, and nobody waits for it."""

import os
import signal
from pathlib import Path

import pytest

from tests.daemon.living import append, living, stop_readers, wait_until_true
from tests.oracle.cases_build import meta, tokens, user
from tests.running import Place, change, dump, rows, thread_id, wait_until, watermark

pytestmark = pytest.mark.alone

FILES = 30
# In each tenth file, a hole that takes no room on disk, and a moment to be read.
HOLE_BYTES = 200_000_000
OTHER_VERSION = 99
# A summary in a form that we cannot read.
NOVEL = '{"lines":"many","novel":[1]}'


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home that another version has read, with files of which reading takes some seconds."""
    made = Place.make(tmp_path)
    made.thread(1000)
    for number in range(FILES):
        path = made.thread(number, meta(), user(f"prompt {number}"))
        if number % 10 == 0:
            os.truncate(path, HOLE_BYTES)
        append(path, tokens(number))
    made.index()
    made.thread(0, path=watermark(0, root="archived_sessions"))
    made.index()
    change(made.database, "UPDATE rollouts SET parser_version = ?", OTHER_VERSION)
    change(made.database, "UPDATE threads SET title = 'of another version'")
    change(made.database, "UPDATE rollouts SET summary = ? WHERE path LIKE '%0'", NOVEL)
    change(made.database, "UPDATE rollouts SET summary = ? WHERE archived", NOVEL)
    return made


def outdated(place: Place) -> int:
    query = "SELECT count(*) FROM rollouts WHERE parser_version = ?"
    return int(rows(place.database, query, OTHER_VERSION)[0][0])


def test_in_the_background_while_events_are_followed(place: Place) -> None:
    query = "SELECT tokens_used FROM threads WHERE id = ?"
    with living(place) as daemon:
        assert daemon.says("another version has read") == 1
        readers = stop_readers(daemon)
        for count in (1, 2, 3):
            append(place.home / watermark(1000), tokens(count))
            wait_until(
                lambda: rows(place.database, query, thread_id(1000)) == [(count,)],  # noqa: B023
                "it is seen",
                2,
            )
        assert outdated(place)
        for reader in readers:
            os.kill(reader, signal.SIGCONT)
        wait_until_true(place, 20)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_killed_in_the_middle(place: Place) -> None:
    with living(place, ROLLOUTD_BACKFILL_BATCH_SIZE="1") as daemon:
        wait_until(lambda: 0 < outdated(place) < FILES, "it is at it")
        daemon.process.kill()
        daemon.process.wait()
    assert 0 < outdated(place) < FILES
    with living(place) as daemon:
        wait_until(lambda: not outdated(place), "all are read again")
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()
