"""Files that cannot be read now, or not be looked for: what was known of them stays."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.daemon.living import living, wait_until_true
from tests.running import Done, Place, dump, rows, thread_id, wait_until, watermark
from tests.state.test_database import without_privileges

THREAD = thread_id(1)
ARCHIVED = watermark(1, root="archived_sessions")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in (1, 2):
        made.thread(number)
    (made.home / "archived_sessions").mkdir()
    made.index()
    return made


def run(place: Place, *arguments: str) -> Done:
    return place.run(*arguments, prefix=without_privileges())


def close_and_move(place: Place) -> Path:
    closed = place.home / watermark(1)
    closed.chmod(0)
    return closed.rename(place.home / ARCHIVED)


def is_kept(place: Place) -> bool:
    """Where it is now, with the thread that was in it."""
    query = "SELECT archived, rollout_path, title FROM threads WHERE id = ?"
    return rows(place.database, query, THREAD) == [(1, str(place.home / ARCHIVED), "prompt 1")]


def by_list(place: Place) -> None:
    done = run(place, "list", "--archived", "--json")
    assert [each["id"] for each in done.document["threads"]] == [THREAD]


def by_show(place: Place) -> None:
    done = run(place, "show", THREAD, "--json")
    assert done.code == 0, done
    assert done.document["thread"]["title"] == "prompt 1"
    assert not done.document["verified"]


def by_backfill(place: Place) -> None:
    assert run(place, "backfill").code == 0


@pytest.mark.parametrize("looked", [by_backfill, by_list, by_show])
def test_a_file_that_moves_while_it_cannot_be_read(
    place: Place, looked: Callable[[Place], None]
) -> None:
    moved = close_and_move(place)
    looked(place)
    assert is_kept(place)
    by_list(place)
    by_show(place)
    done = run(place, "verify", "--json")
    assert (done.code, done.document["findings"]) == (0, []), done
    assert [each["kind"] for each in done.document["notes"]] == ["unreachable"]
    moved.chmod(0o600)
    place.backfill()
    assert dump(place.database) == place.fresh()


def test_the_same_under_the_daemon(place: Place) -> None:
    with living(place, prefix=without_privileges(), ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        wait_until_true(place)
        moved = close_and_move(place)
        wait_until(lambda: is_kept(place), "it is seen where it is")
        daemon.hang_up()
        wait_until(lambda: daemon.state and not daemon.state.queue, "it has been looked at")
        assert is_kept(place)
        moved.chmod(0o600)
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize("options", [(), ("--deep",)])
def test_a_file_that_cannot_be_read_any_more_is_no_drift(
    place: Place, options: tuple[str, ...]
) -> None:
    closed = place.home / watermark(1)
    closed.chmod(0)
    done = run(place, "verify", "--json", *options)
    assert (done.code, done.document["findings"]) == (0, []), done
    told = [(each["kind"], each["path"]) for each in done.document["notes"]]
    assert told == [("unreachable", watermark(1))]
    assert run(place, "verify", "--repair").code == 0


def test_what_may_have_moved_to_where_nothing_can_be_seen(place: Place) -> None:
    (place.home / watermark(1)).rename(place.home / ARCHIVED)
    archive = place.home / "archived_sessions"
    archive.chmod(0)
    for arguments in (("verify", "--json"), ("verify", "--repair", "--json")):
        done = run(place, *arguments)
        assert (done.code, done.document["findings"]) == (0, []), done
        told = {(each["kind"], each["path"]) for each in done.document["notes"]}
        assert told >= {("unreachable", watermark(1))}
    assert rows(place.database, "SELECT count(*) FROM threads") == [(2,)]
    archive.chmod(0o700)
    place.backfill()
    assert dump(place.database) == place.fresh()
