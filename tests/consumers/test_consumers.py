"""Real consumers read while the database is written: none sees a lock, a half, or nothing."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from rolloutd.batches import Terms
from tests.consumers.packages import MissingConsumerError
from tests.consumers.readers import CONSUMERS
from tests.daemon.living import append, living
from tests.oracle.cases_build import Json, meta, tokens, user
from tests.required import lack
from tests.running import BOUND_SECONDS, Place, dump, index, thread_id, watermark

THREADS = 40
SECONDS = 6
_TOOL: dict[str, Json] = {"description": "d", "inputSchema": {}}


def write(place: Place, number: int) -> Path:
    """A thread as `QUESTION` wants each of them: with two tools, and a parent."""
    spawn: Json = {"parent_thread_id": thread_id(0), "depth": 1}
    tools: list[Json] = [{**_TOOL, "name": "one"}, {**_TOOL, "name": "two"}]
    source: Json = {"subagent": {"thread_spawn": spawn}}
    return place.thread(number, meta(source=source, dynamic_tools=tools), user("u"), tokens(1))


@contextmanager
def working(place: Place) -> Iterator[None]:
    """Somebody works with Codex: threads go on, begin, and are archived."""
    done = threading.Event()

    def work() -> None:
        turn = 0
        while not done.wait(0.01):
            turn += 1
            append(place.home / watermark(turn % 20), tokens(turn))
            number = 20 + turn // 20
            if turn % 20 == 0 and number < THREADS:
                write(place, THREADS + number)
                archived = watermark(number, root="archived_sessions")
                (place.home / watermark(number)).rename(place.home / archived)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()


@contextmanager
def rebuilding(place: Place) -> Iterator[None]:
    """Everything is read again, over and over."""
    done = threading.Event()
    said = []

    def rebuild() -> None:
        while not done.is_set():
            report = index(place.home, place.database, rebuild=True, terms=Terms(batch_size=7))
            said.append(report.status)

    worker = threading.Thread(target=rebuild)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()
    assert set(said) == {"complete"}


Answers = dict[str, "tuple[int, str, str] | str"]


@pytest.fixture(scope="module", params=["a daemon follows", "everything is rebuilt"])
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What each consumer printed, all of them reading at the same time; or why it cannot be had."""
    place = Place.make(tmp_path_factory.mktemp("consumed"))
    (place.home / "archived_sessions").mkdir()
    for number in range(THREADS):
        write(place, number)
    place.index()
    found: Answers = {}
    started: dict[str, subprocess.Popen[str]] = {}
    consumers = {}
    for name, make in CONSUMERS.items():
        try:
            consumers[name] = make()
        except MissingConsumerError as missing:
            found[name] = str(missing)
    is_followed = request.param == "a daemon follows"
    with ExitStack() as stack:
        stack.enter_context(living(place) if is_followed else rebuilding(place))
        stack.enter_context(working(place))
        for name, consumer in consumers.items():
            started[name] = stack.enter_context(consumer.start(place.database, SECONDS))
        for name, process in started.items():
            try:
                output, complaints = process.communicate(timeout=BOUND_SECONDS + 60)
            finally:
                process.kill()
            found[name] = process.returncode, output, complaints
    place.backfill()
    assert dump(place.database) == place.fresh()
    return found


@pytest.mark.timeout(900)  # the first run installs
@pytest.mark.parametrize("name", CONSUMERS)
def test_a_consumer_sees_whole_threads_and_no_lock(answers: Answers, name: str) -> None:
    answer = answers[name]
    if isinstance(answer, str):
        lack(answer)
    code, output, complaints = answer
    assert (code, complaints) == (0, "")
    rows = [json.loads(line) for line in output.splitlines()]
    assert min(threads for threads, _, _ in rows) >= THREADS
    assert max(broken for _, _, broken in rows) == 0
    assert len({used for _, used, _ in rows}) > 1, "nothing was written meanwhile"
