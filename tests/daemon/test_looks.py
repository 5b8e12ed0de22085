"""Periodic looks: quick while nothing has changed, and blind to nothing all the same."""

import mmap
import os
import random
import time
from pathlib import Path

import pytest

from rolloutd.rollout.discovery import discover, fingerprint
from tests.daemon.living import Daemon, living, wait_until_true
from tests.daemon.tree import NUMBERS, Step, Tree
from tests.oracle.cases_build import meta, tokens
from tests.running import Place, change, dump, rows, thread_id, wait_until

QUICK_LOOKS = 4
QUIET_SECONDS = 5


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in range(20):
        made.thread(number)
    return made


def let_it_look(daemon: Daemon) -> None:
    """Wait for so many looks that the last ones were quick."""
    for _ in range(QUICK_LOOKS):
        state = daemon.state
        last = state and state.last_reconcile_ms
        wait_until(lambda: daemon.state and daemon.state.last_reconcile_ms != last, "a look", 5)  # noqa: B023


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM rollouts WHERE path = (SELECT min(path) FROM rollouts)",
        "UPDATE rollouts SET mtime_ns = mtime_ns - 1",
    ],
)
def test_rows_that_somebody_else_has_changed(place: Place, statement: str) -> None:
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        let_it_look(daemon)
        change(place.database, statement)
        wait_until_true(place, 5)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_file_of_which_no_event_tells(place: Place) -> None:
    """It is written to by mapping it into memory, and keeps its size."""
    path = place.thread(1, meta(), tokens(1111))
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        let_it_look(daemon)
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
            mapped[:] = mapped[:].replace(b"1111", b"2222")
            mapped.flush()
        query = "SELECT tokens_used FROM threads WHERE id = ?"
        wait_until(lambda: rows(place.database, query, thread_id(1)) == [(2222,)], "it is seen", 5)
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_a_file_that_cannot_be_read_is_tried_again(place: Place) -> None:
    """Though nothing changes: whatever kept it from being read may be over."""
    path = place.thread(1)
    os.link(path, path.with_name("rollout-link.jsonl"))
    with living(place, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        let_it_look(daemon)
        change(place.database, "UPDATE rollouts SET parser_version = 0, error = 'x'")
        wait_until_true(place, 5)
        daemon.stop()
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_seen_is_in_the_fingerprint(tmp_path: Path, seed: int) -> None:
    place = Place.make(tmp_path)
    rng = random.Random(seed)
    tree = Tree(place)
    kinds = sorted(tree.kinds)
    changes = 0
    before = None
    for number in range(400):
        if number % 10 == 0:
            tree.settle()
        kind = rng.choice([*kinds, "create", "append"])
        tree.apply(Step(kind, rng.choice(NUMBERS), rng.randint(1, 99)))
        found = discover(place.home)
        now = (found.candidates, found.roots), fingerprint(place.home, lambda: None)
        assert fingerprint(place.home, lambda: None) == now[1]
        if before is not None and before[0] != now[0]:
            changes += 1
            assert before[1] != now[1], kind
        before = now
    assert changes > 50


def waits_of(daemon: Daemon) -> int:
    """How often its threads have gone to sleep so far."""
    count = 0
    for each in Path(f"/proc/{daemon.process.pid}/task").glob("*/status"):
        fields = dict(line.split(":", 1) for line in each.read_text().splitlines())
        count += int(fields["voluntary_ctxt_switches"])
    return count


def test_it_sleeps_while_nothing_happens(place: Place) -> None:
    with living(place) as daemon:
        wait_until_true(place)
        before = waits_of(daemon)
        time.sleep(QUIET_SECONDS)
        assert waits_of(daemon) - before <= 3 * QUIET_SECONDS
        daemon.stop()
