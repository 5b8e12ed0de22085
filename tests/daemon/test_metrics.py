"""The metrics of a real daemon: true, well formed, and silent about what is nobody's business."""

import mmap
import os
import random
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.living import Daemon, append, living, wait_until_true
from tests.daemon.scraping import ask, promtool, scrape
from tests.daemon.tree import NUMBERS, Step, Tree
from tests.metrics.samples import Samples, called_for, content_of, series
from tests.oracle.cases_build import event, meta, named, tokens, turn, user
from tests.running import BOUND_SECONDS, Place, change, rows, wait_until, watermark

pytestmark = pytest.mark.alone

SEED = int(os.environ.get("TESTS_SEED") or random.SystemRandom().getrandbits(32))
QUICK: dict[str, Any] = {"ROLLOUTD_RECONCILE_SECONDS": "1"}
MARKER = "xyzzy"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


def wait_for_content(daemon: Daemon) -> Samples:
    """Wait until the gauges equal the database; returns all samples then."""
    found: Samples = {}

    def is_equal() -> bool:
        found.update(scrape(daemon))
        return content_of(found) == called_for(daemon.place.database)

    wait_until(is_equal, "the metrics equal the database")
    return found


def test_they_equal_the_database_after_a_random_workload(place: Place) -> None:
    print(f"TESTS_SEED={SEED}")
    chance = random.Random(SEED)
    tree = Tree(place)
    kinds = sorted(tree.kinds)
    for number in NUMBERS:
        place.thread(number, meta(source=chance.choice(["cli", "exec"])), turn(), tokens(number))
    place.thread(900, b"nothing")
    with living(place, **QUICK) as daemon:
        began = wait_for_content(daemon)
        assert began[series("backfill_rollouts_total", status="upserted")] == len(NUMBERS)
        assert began[series("backfill_rollouts_total", status="failed")] == 1
        ended = series("backfill_duration_seconds_count", status="partial_failure")
        assert scrape(daemon)[ended] == 1
        for _ in range(60):
            kind = chance.choice([*kinds, "create", "append"])
            tree.apply(Step(kind, chance.choice(NUMBERS), chance.randrange(1, 99)))
        tree.settle()
        append(place.thread(901), tokens(1), b"no json")
        wait_until_true(place, 20)
        samples = wait_for_content(daemon)
        assert samples.keys() >= began.keys()
        assert samples[series("upserts_total", result="indexed")] > len(NUMBERS)
        assert samples[series("read_bytes_total")] > began[series("read_bytes_total")]
        assert samples[series("index_lag_seconds_count")] > 0
        assert samples[series("ready")] == 1
        assert samples[series("phase", phase="following")] == 1
        daemon.stop()


def test_they_are_well_formed(place: Place) -> None:
    place.thread(1)
    with living(place) as daemon:
        text = ask(daemon, "/metrics").text
        checked = promtool("check", "metrics", text=text)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
        assert "process_resident_memory_bytes " in text
        assert "python_info{" in text


def test_nothing_of_what_was_said_is_told(place: Place) -> None:
    """A marker in every text that a rollout may hold, and in the names of files and threads."""
    text = f"secret {MARKER}"
    place.thread(
        1,
        meta(
            cwd=f"/{MARKER}",
            source={"custom": MARKER},
            originator=MARKER,
            agent_nickname=MARKER,
            git={"commit_hash": MARKER, "branch": MARKER, "repository_url": MARKER},
        ),
        turn(model=f"/models/{MARKER}.gguf", cwd=f"/{MARKER}"),
        user(text),
        named(text),
        event(MARKER),
        MARKER.encode(),
    )
    folder = place.home / "sessions" / MARKER
    folder.mkdir()
    (folder / f"rollout-{MARKER}.jsonl").write_bytes(MARKER.encode())
    (folder / f"rollout-{MARKER}-2.jsonl").symlink_to(place.home / MARKER)
    (place.home / "session_index.jsonl").write_text(MARKER)
    with living(place, ROLLOUTD_LOG_LEVEL="info", **QUICK) as daemon:
        append(place.home / watermark(1), user(text), tokens(5))
        (folder / f"rollout-{MARKER}-3.jsonl").write_bytes(user(text))
        (place.home / "session_index.jsonl").unlink()
        (place.home / "session_index.jsonl").mkdir()
        wait_until_true(place)
        wait_for_content_but_models(daemon)
        for target in ("/metrics", "/", "/readyz", "/healthz", f"/{MARKER}", "/metrics?x"):
            told = ask(daemon, target, Accept="application/openmetrics-text;version=1.0.0").text
            assert MARKER not in told
            assert str(place.root) not in told
    log = (place.root / "log").read_text()
    assert "INFO" in log
    assert MARKER not in log


def wait_for_content_but_models(daemon: Daemon) -> None:
    """The same, where models have names that are not shown."""
    wait_until(
        lambda: without_models(scrape(daemon)) == without_models(called_for(daemon.place.database)),
        "the metrics equal the database",
    )


def without_models(samples: Samples) -> Samples:
    found = content_of(samples)
    return {each: value for each, value in found.items() if "thread_tokens" not in each[0]}


def test_what_befalls_the_database_is_counted_and_survived(place: Place) -> None:
    for number in range(5):
        place.thread(number)
    with living(place, **QUICK) as daemon:
        before = wait_for_content(daemon)
        with closing(sqlite3.connect(place.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            append(place.home / watermark(1), tokens(7))
            wait_until(
                lambda: scrape(daemon)[series("database_busy_retries_total")], "it waits for a lock"
            )
            wait_until(
                lambda: scrape(daemon)[series("errors_total", stage="database")], "it gives up"
            )
            other.execute("ROLLBACK")
        wait_until_true(place)
        place.database.write_bytes(b"no database " * 1000)
        append(place.home / watermark(2), tokens(7))
        wait_until(lambda: daemon.says("building a new one"), "it is rebuilt")
        wait_until_true(place)
        after = wait_for_content(daemon)
        assert after.keys() == before.keys()
        assert after[series("backfill_rollouts_total", status="upserted")] == 10
        ended = series("backfill_duration_seconds_count", status="success")
        wait_until(lambda: scrape(daemon)[ended] == 2, "the second backfill is told of")


def test_what_another_worker_has_done_meanwhile(place: Place) -> None:
    """It took over the work of one that hung, and gave it back before anybody asked."""
    place.thread(1)
    with living(place) as daemon:
        wait_for_content(daemon)
        daemon.process.send_signal(signal.SIGSTOP)
        change(place.database, "UPDATE backfill_state SET lease_expires_at_ms = 0")
        for number in range(2, 9):
            place.thread(number)
        assert place.run("backfill").code == 0
        daemon.process.send_signal(signal.SIGCONT)
        wait_until_true(place)
        wait_for_content(daemon)
        daemon.stop()


def test_what_a_stranger_has_written(place: Place) -> None:
    place.thread(1)
    place.thread(2)
    with living(place) as daemon:
        before = wait_for_content(daemon)
        change(place.database, "UPDATE threads SET tokens_used = 77, archived = 1")
        wait_until_true(place)
        assert content_of(wait_for_content(daemon)) == content_of(before)
        change(place.database, "DELETE FROM threads")
        wait_until_true(place)
        assert content_of(wait_for_content(daemon)) == content_of(before)
        daemon.stop()


def test_a_lease_that_was_not_given_back_is_a_takeover(place: Place) -> None:
    place.thread(1)
    with living(place) as daemon:
        daemon.process.kill()
        daemon.process.wait()
    with living(place) as daemon:
        assert scrape(daemon)[series("backfill_lease_takeovers_total")] == 1
        daemon.process.terminate()
        daemon.process.wait(BOUND_SECONDS)
    with living(place) as daemon:
        found = scrape(daemon)
        assert found[series("backfill_lease_takeovers_total")] == 0
        # The look at everything with which it began.
        assert found[series("reconcile_duration_seconds_count")] == 1


def drift_of(daemon: Daemon) -> dict[str, float]:
    samples = scrape(daemon)
    kinds = ("missing", "stale", "gone")
    return {kind: samples[series("reconcile_drift_total", kind=kind)] for kind in kinds}


def test_drift_is_what_no_event_tells_of(place: Place) -> None:
    path = place.thread(1, meta(), turn(), user("prompt"))
    with living(place, **QUICK) as daemon:
        count = 0
        until = time.monotonic() + 5  # some reconciles in the middle of ordinary life
        while time.monotonic() < until:
            count += 1
            append(path, tokens(count))
            place.thread(100 + count)
            wait_until(lambda: len(rows(place.database, "SELECT 1 FROM threads")) > count, "seen")  # noqa: B023
        # Nor is what has to be read again for another reason.
        change(place.database, "UPDATE rollouts SET parser_version = 99")
        wait_until(
            lambda: not rows(place.database, "SELECT 1 FROM rollouts WHERE parser_version = 99"),
            "all is read again",
        )
        assert drift_of(daemon) == {"missing": 0, "stale": 0, "gone": 0}
        # inotify(7) tells nothing of what is written through a mapping.
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
            wait_until_true(place)  # The opening itself has been heard of, and is over.
            mapped[:] = mapped[:].replace(b"prompt", b"PROMPT")
            wait_until_true(place)
            wait_until(lambda: drift_of(daemon)["stale"], "the drift is counted")
        assert drift_of(daemon) == {"missing": 0, "stale": 1, "gone": 0}


def test_a_root_that_is_replaced_may_cost_events(place: Place) -> None:
    place.thread(1)
    sessions = place.home / "sessions"
    with living(place) as daemon:
        before = scrape(daemon)
        assert before[series("watcher_mode", mode="native")] == 1
        assert before[series("events_lost_total")] == 0
        sessions.rename(place.root / "away")
        place.thread(2)
        wait_until(lambda: scrape(daemon)[series("events_lost_total")], "the watch is armed again")
        wait_until_true(place)
        samples = wait_for_content(daemon)
        assert samples[series("watcher_restarts_total")] >= 1
        assert samples[series("last_event_timestamp_seconds")] > time.time() - 60
        assert samples[series("queue_depth")] == 0
        # Looked for because it was asked for, not by the period.
        assert drift_of(daemon) == {"missing": 0, "stale": 0, "gone": 0}
