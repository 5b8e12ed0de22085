"""A backfill's head start: readers that are copies of it, and at work before it is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rolloutd.rollout.parts import PART_BYTES
from tests.faults.processes import children_of, lives
from tests.oracle.cases_build import meta, rollout, tokens, user
from tests.rollouts import write
from tests.running import BOUND_SECONDS, Place, wait_until

FILES = 300

# Readers are copied before there is another thread, so not from a process that runs tests. (The
# tests of what a pool does with its readers, whatever they are, are in rollout/test_pool.py.)
ASKED = """
import os, signal, sys
from pathlib import Path
from rolloutd.early import begin_early
from rolloutd.rollout.discovery import discover
from rolloutd.rollout.messages import Job

def children():
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return {int(pid) for pid in text.split()}

before = set(os.listdir("/proc/self/fd"))
early = begin_early(sys.argv[1:])
pool = early and early.pool
"""
READ = """
first = children()
home = Path(os.environ["CODEX_HOME"])
jobs = [Job(each.path, each.size) for each in discover(home).candidates]
readings = []
for job, reading in pool.read(jobs, lambda _: None):
    readings.append(reading.summary.tokens_used)
    if len(readings) == 5:
        disturb(children())
pool.end()
assert not children()
assert set(os.listdir("/proc/self/fd")) == before
print(len(first), readings)
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.make(tmp_path)
    for number in range(FILES):
        content = rollout(meta(), *[user("x" * 900)] * (number % 7 * 40), tokens(number))
        write(place.home, content, path_of(number))
    return place


def path_of(number: int) -> str:
    return f"sessions/rollout-{number:04}.jsonl"


def ask(place: Place, code: str, *arguments: str, before: str = "", **environment: str) -> str:
    """What this prints, with the pool for these arguments at hand."""
    ended = subprocess.run(
        [sys.executable, "-c", before + ASKED + code, *arguments],
        env=place.environment | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout.strip()


@pytest.mark.parametrize(
    "disturb",
    [
        "",
        # What ends a whole group is for the parent alone.
        "for pid in pids: os.kill(pid, signal.SIGINT); os.kill(pid, signal.SIGTERM)",
        "os.kill(max(pids), signal.SIGKILL)",
        "for pid in pids: os.kill(pid, signal.SIGKILL)",
    ],
)
def test_copied_readers_answer_every_job_whatever_happens_to_them(
    place: Place, disturb: str
) -> None:
    large = [user("x" * 900)] * (4 * PART_BYTES // 900)
    write(place.home, rollout(meta(), *large, tokens(FILES)), path_of(FILES))
    code = f"def disturb(pids):\n    {disturb or 'pass'}\n{READ}"
    count = len(os.sched_getaffinity(0))
    said = ask(place, code, "backfill", "--json")
    assert said == f"{min(4, count)} {list(range(FILES + 1))}"


def test_they_are_at_work_where_all_is_to_be_read_only(place: Place) -> None:
    code = "print(pool.has_begun, len(children()) > 0)"
    assert ask(place, code, "backfill", "--rebuild") == "True True"
    place.database.parent.mkdir()
    place.database.touch()
    assert ask(place, code, "backfill", "--rebuild") == "False True"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("run",),
        ("list", "backfill"),
        ("backfill", "--help"),
        ("backfill", "--database", "elsewhere.sqlite"),
        ("backfill", "--json", "--codex-home=elsewhere"),
    ],
)
def test_nothing_is_begun_for_another_thing(place: Place, arguments: tuple[str, ...]) -> None:
    assert ask(place, "print(pool, children())", *arguments) == "None set()"


@pytest.mark.parametrize("setting", ["BACKFILL_BATCH_SIZE", "UNKNOWN", "DATABASE"])
def test_what_is_wrong_with_the_settings_is_for_the_command_to_say(
    place: Place, setting: str
) -> None:
    name, value = f"ROLLOUTD_{setting}", str(place.home / "sessions")
    said = ask(place, "print(pool, children())", "backfill", **{name: value})
    assert said == "None set()"
    done = place.run("backfill", prefix=(), **{name: value})
    assert done.code == 78, done


def test_a_backfill_starts_no_other_program(place: Place, tmp_path: Path) -> None:
    refusing = "import subprocess\nsubprocess.Popen.__init__ = None\n"
    (tmp_path / "sitecustomize.py").write_text(refusing)
    done = place.run("backfill", "--json", PYTHONPATH=os.fspath(tmp_path))
    assert done.code == 0, done
    assert (done.document["scanned"], done.document["failed"]) == (FILES, 0)


@pytest.mark.parametrize("forks", [0, 1])
def test_where_there_is_no_room_for_all_readers(place: Place, tmp_path: Path, forks: int) -> None:
    """One that could be copied does it alone; without any, it is said in a line."""
    scarce = (
        "import os, subprocess\n"
        "fork, left = os.fork, [1] * FORKS\n"
        "def few():\n"
        "    if not left: raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
        "    left.pop()\n"
        "    return fork()\n"
        "def none(*_, **__): raise BlockingIOError(11, 'Resource temporarily unavailable')\n"
        "os.fork, subprocess.Popen.__init__ = few, none\n"
        "subprocess.Popen.__del__ = lambda _: None\n"
    ).replace("FORKS", str(forks))
    (tmp_path / "sitecustomize.py").write_text(scarce)
    done = place.run("backfill", "--json", PYTHONPATH=os.fspath(tmp_path))
    if forks:
        assert done.code == 0, done
        assert (done.document["scanned"], done.document["failed"]) == (FILES, 0)
    else:
        why = "no reader process can start: Resource temporarily unavailable"
        assert (done.code, done.stderr) == (1, f"rolloutd: {why}\n")


def test_a_reader_has_nothing_open_that_its_parent_was_given(place: Place) -> None:
    """Not even beyond a limit that was lowered afterwards."""
    code = (
        "import time\n"
        "def descriptors(): return {f for p in children() for f in os.listdir(f'/proc/{p}/fd')}\n"
        "while not descriptors() <= {'0', '1', '2'}: time.sleep(0.01)\n"
        "print('closed')\n"
    )
    place.database.parent.mkdir()
    place.database.touch()  # so that they read nothing yet
    given = "import os, resource\nos.dup2(0, 200)\nos.dup2(0, 5)\n"
    limit = "n = resource.RLIMIT_NOFILE\nresource.setrlimit(n, (64, resource.getrlimit(n)[1]))\n"
    assert ask(place, code, "backfill", before=given + limit) == "closed"


def test_readers_do_not_outlive_a_parent_that_is_killed(place: Place) -> None:
    code = "print(len(children()), flush=True)\nsignal.pause()\n"
    with subprocess.Popen(
        [sys.executable, "-c", ASKED + code, "backfill"],
        env=place.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            count = int(process.stdout.readline())
            readers = children_of(process.pid)
            assert len(readers) == count > 0
        finally:
            process.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(map(lives, readers)), "no reader is left")
