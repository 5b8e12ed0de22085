"""Text in the database that is no UTF-8: SQLite keeps it in silence, so only damage makes it."""

from pathlib import Path

import pytest

from tests.daemon.living import living, wait_until_true
from tests.running import Place, change, dump

COLUMNS = ("rollouts.thread_id", "rollouts.summary", "rollouts.path", "threads.title")


def damage(place: Place, column: str) -> None:
    table, name = column.split(".")
    first = f"SELECT min(rowid) FROM {table}"
    broken = f"UPDATE {table} SET {name} = CAST(X'30FFFE' AS TEXT) WHERE rowid = ({first})"
    change(place.database, broken)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in range(3):
        made.thread(number)
    made.index()
    return made


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("look", [(), ("--deep",)])
def test_verify_repairs_it(place: Place, column: str, look: tuple[str, ...]) -> None:
    damage(place, column)
    done = place.run("verify", "--repair", *look)
    assert done.code == 0, done
    assert "Traceback" not in done.stderr
    assert "with text" not in done.stderr, "the driver quotes what it could not decode"
    assert dump(place.database) == place.fresh()


def test_the_daemon_makes_a_new_one_where_it_comes_by(place: Place) -> None:
    """It looks at every path; what no reconcile reads is for `verify` to find."""
    damage(place, "rollouts.path")
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize("command", [("list",), ("show", "00000000"), ("status",), ("verify",)])
def test_who_reads_says_what_is_wrong(place: Place, command: tuple[str, ...]) -> None:
    damage(place, "rollouts.thread_id")
    damage(place, "threads.title")
    done = place.run(*command)
    assert done.code in {0, 1, 74}, done
    assert "Traceback" not in done.stderr
