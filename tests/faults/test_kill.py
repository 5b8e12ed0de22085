"""kill -9 at random moments: the next start goes on at once, and all ends as if nothing were."""

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from tests.faults.processes import children_of, lives
from tests.running import Dump, Place, dump, state_of, wait_until

FILES = 300
EAGER = {"ROLLOUTD_BACKFILL_BATCH_SIZE": "10", "ROLLOUTD_BACKFILL_WAIT_SECONDS": "0"}


class Victim:
    """A backfill that is started, killed, and started again until it has died often enough."""

    def __init__(self, place: Place, seed: int) -> None:
        self._place = place
        self._random = random.Random(seed)
        self._expected: Dump = place.fresh()
        self._arguments: tuple[str, ...] = ()
        self.kills = 0
        self.kills_at_work = 0

    def run_once(self) -> None:
        """One start; it ends by our hand, or well."""
        with self._place.started("backfill", *self._arguments, **EAGER) as process:
            self._arguments = ()
            if self._is_done_before_our_moment(process):
                self._check_the_end(process)
                return
            readers = children_of(process.pid)
            process.kill()
            process.wait()
        self.kills += 1
        self.kills_at_work += state_of(self._place.database).get("status") == "running"
        wait_until(lambda: not any(map(lives, readers)), f"its readers {readers} are gone", 10)

    def run_to_the_end(self) -> None:
        """The last start, and the question that every test ends with."""
        document = self._place.backfill(**EAGER)
        assert (document["status"], document["failed"]) == ("complete", 0)
        assert dump(self._place.database) == self._expected

    def _is_done_before_our_moment(self, process: "subprocess.Popen[str]") -> bool:
        delay = self._random.uniform(0, 0.01)
        if self._random.random() < 0.25:
            delay = self._random.uniform(0, 0.8)  # anywhere, the start of the program included
        else:
            before = state_of(self._place.database)
            goal = before.get("scanned", 0) % FILES + self._random.randrange(0, 80)
            wait_until(lambda: process.poll() is not None or self._has_reached(goal), "it works")
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _has_reached(self, goal: int) -> bool:
        state = state_of(self._place.database)
        return bool(state) and state["status"] == "running" and state["scanned"] >= goal

    def _check_the_end(self, process: "subprocess.Popen[str]") -> None:
        _, complaints = process.communicate()
        assert process.returncode == 0, complaints
        assert dump(self._place.database) == self._expected
        if self._random.random() < 0.5:
            self._arguments = ("--rebuild",)
        else:
            for path in self._place.database.parent.iterdir():
                path.unlink()


def kill_often(place: Place, kills: int, seed: int) -> None:
    print(f"seed {seed}")
    for number in range(FILES):
        place.thread(number)
    victim = Victim(place, seed)
    while victim.kills < kills:
        victim.run_once()
    victim.run_to_the_end()
    assert victim.kills_at_work > kills / 3


@pytest.mark.timeout(300)
def test_killed_at_random_moments(tmp_path: Path) -> None:
    kill_often(Place.make(tmp_path), 30, random.SystemRandom().randrange(1 << 32))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("round_", range(5))
def test_killed_very_often(tmp_path: Path, round_: int) -> None:
    seed = random.SystemRandom().randrange(1 << 32) + round_
    kill_often(Place.make(tmp_path), 200, seed)


def test_a_reader_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """By the out-of-memory killer, say: only the file that it was at is blamed, and tried again."""
    place = Place.make(tmp_path)
    for number in range(FILES):
        place.thread(number)
    with place.started("backfill", "--json", ROLLOUTD_BACKFILL_BATCH_SIZE="1") as process:
        wait_until(lambda: state_of(place.database).get("scanned"), "it works")
        for pid, _ in children_of(process.pid):
            os.kill(pid, signal.SIGKILL)
        output, complaints = process.communicate(timeout=30)
    assert process.returncode == 0, (output, complaints)
    assert dump(place.database) == place.fresh()
