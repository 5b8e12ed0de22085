"""Workers that stand still, are asked to stop, or meet each other."""

import os
import re
import signal
import socket
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.faults.processes import children_of, lives, stop_in_the_middle
from tests.running import Place, dump, rows, state_of, wait_until

# With each in a batch of its own, a second of work at least: time to look at it.
FILES = 1500
SMALL = {"ROLLOUTD_BACKFILL_BATCH_SIZE": "1"}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in range(FILES):
        made.thread(number)
    return made


def test_a_stuck_worker_is_waited_for_and_then_named(place: Place) -> None:
    with place.started("backfill", **SMALL) as stuck:
        state = stop_in_the_middle(place, stuck)
        done = place.run("backfill", "--json", ROLLOUTD_BACKFILL_WAIT_SECONDS="0.2")
        assert (done.code, done.stdout) == (75, "")
        last = done.stderr.splitlines()[-1]
        assert f"process {stuck.pid} on {socket.gethostname()}" in last
        assert f"{state['scanned']} of {FILES} files" in last
        assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", last)
        assert state_of(place.database) == state

        backfill = place.status()["backfill"]
        owner = backfill["owner"]
        assert (backfill["status"], backfill["scanned"]) == ("running", state["scanned"])
        assert (owner["pid"], owner["host"], owner["gone"]) == (
            stuck.pid,
            socket.gethostname(),
            False,
        )
        stuck.kill()
        stuck.wait()
        assert place.status()["backfill"]["owner"]["gone"] is True
    place.backfill(ROLLOUTD_BACKFILL_WAIT_SECONDS="0")
    assert dump(place.database) == place.fresh()


def test_a_second_worker_waits_for_the_first(place: Place) -> None:
    with place.started("backfill", "--json", **SMALL) as first:
        stop_in_the_middle(place, first)
        with place.started("backfill", "--json") as second:
            assert second.stderr is not None
            assert f"waiting: process {first.pid}" in second.stderr.readline()
            first.send_signal(signal.SIGCONT)
            for process in (first, second):
                _, complaints = process.communicate(timeout=60)
                assert process.returncode == 0, complaints
    assert dump(place.database) == place.fresh()


def test_who_was_taken_over_writes_nothing_more(place: Place) -> None:
    short = {"ROLLOUTD_BACKFILL_LEASE_SECONDS": "1"}
    with place.started("backfill", **SMALL, **short) as stopped:
        stop_in_the_middle(place, stopped)
        document = place.backfill()
        assert (document["status"], document["scanned"]) == ("complete", FILES)
        before, state = dump(place.database), state_of(place.database)
        assert before == place.fresh()
        stopped.send_signal(signal.SIGCONT)
        output, complaints = stopped.communicate(timeout=30)
    assert (stopped.returncode, output) == (75, "")
    assert "taken over" in complaints
    assert dump(place.database) == before
    assert state_of(place.database) == state


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("whole_group", [True, False])
def test_asked_to_stop_it_hands_the_work_back(
    place: Place, number: signal.Signals, *, whole_group: bool
) -> None:
    """To the group it goes from a terminal (Ctrl-C), and from systemd (KillMode=control-group)."""
    with place.started("backfill", "--json", **SMALL) as process:
        stop_in_the_middle(place, process)
        readers = children_of(process.pid)
        if whole_group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        output, complaints = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, ""), complaints
    assert "Traceback" not in complaints
    assert len(complaints.splitlines()) == 1, complaints
    wait_until(lambda: not any(map(lives, readers)), "its readers are gone", 10)

    state = state_of(place.database)
    assert (state["status"], state["owner_token"]) == ("pending", None)
    assert 0 < state["scanned"] < FILES
    assert rows(place.database, "SELECT path, error FROM rollouts WHERE error IS NOT NULL") == []
    [(last, count)] = rows(place.database, "SELECT max(path), count(*) FROM rollouts")
    assert (last, count) == (state["last_watermark"], state["scanned"])

    document = place.backfill(ROLLOUTD_BACKFILL_WAIT_SECONDS="0")
    assert (document["status"], document["scanned"]) == ("complete", FILES)
    size = sum(path.stat().st_size for path in place.home.rglob("*.jsonl"))
    assert document["bytes"] < size
    assert dump(place.database) == place.fresh()


def test_interrupted_as_soon_as_it_has_a_reader(place: Place) -> None:
    """A reader has nothing to say to Ctrl-C, from its first moment on."""
    place.backfill()
    for _ in range(5):
        # It cannot be done before it is interrupted: what it has read waits to be written.
        with (
            closing(sqlite3.connect(place.database, isolation_level=None)) as other,
            place.started("backfill", "--rebuild", "--json", **SMALL) as process,
        ):
            other.execute("BEGIN IMMEDIATE")
            wait_until(lambda: children_of(process.pid), "it has a reader", pause=0.001)
            os.killpg(process.pid, signal.SIGINT)
            # To hand the work back, which it may have got before, is to write, too.
            other.execute("ROLLBACK")
            _, complaints = process.communicate(timeout=30)
        assert "Traceback" not in complaints
        assert process.returncode in {1, 130, -signal.SIGINT}
    place.backfill()
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize("wait", ["0", "30"])
def test_two_at_once_do_nothing_twice(place: Place, wait: str) -> None:
    size = sum(path.stat().st_size for path in place.home.rglob("*.jsonl"))
    environment = {"ROLLOUTD_BACKFILL_WAIT_SECONDS": wait, "ROLLOUTD_BACKFILL_BATCH_SIZE": "10"}
    with ExitStack() as stack:
        two = [
            stack.enter_context(place.started("backfill", "--json", **environment))
            for _ in range(2)
        ]
        ends = [process.communicate(timeout=60) for process in two]
    codes = sorted(process.returncode for process in two)
    assert codes in ([[0, 0], [0, 75]] if wait == "0" else [[0, 0]]), ends
    upserted = read = 0
    for output, _ in ends:
        for name, value in re.findall(r'"(upserted|bytes)": (\d+)', output):
            upserted += int(value) * (name == "upserted")
            read += int(value) * (name == "bytes")
    assert (upserted, read) == (FILES, size)
    assert dump(place.database) == place.fresh()


def test_two_at_once_on_a_corrupt_database(place: Place) -> None:
    place.database.parent.mkdir()
    place.database.write_bytes(b"not a database " * 100)
    with ExitStack() as stack:
        two = [stack.enter_context(place.started("backfill", "--json")) for _ in range(2)]
        ends = [process.communicate(timeout=60) for process in two]
    assert [process.returncode for process in two] == [0, 0], ends
    assert dump(place.database) == place.fresh()
    aside = [each.name for each in place.database.parent.glob("*.corrupt-*")]
    assert len([name for name in aside if not name.endswith(("-wal", "-shm"))]) == 1
