"""Reader processes: every job answered, in order, whatever happens to a reader or to a file."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rolloutd.rollout.messages import Job
from rolloutd.rollout.parts import PART_BYTES
from rolloutd.rollout.pool import ReaderPool, ReadersUnavailable
from rolloutd.rollout.processes import reader_count
from tests.oracle.cases_build import meta, rollout, tokens, user
from tests.rollouts import append, known_of, read, write, write_with_hole

MIB = 1024 * 1024


class Refused(Exception):
    """What a tick may raise."""


def quiet(taken: int) -> None:
    assert taken >= 0


def path_of(number: int) -> str:
    return f"sessions/rollout-{number:04}.jsonl"


def write_numbered(home: Path, count: int) -> list[Job]:
    """Rollouts that say their number, large and small ones mixed."""
    jobs = []
    for number in range(count):
        content = rollout(meta(), *[user("x" * 900)] * (number % 7 * 40), tokens(number))
        file = write(home, content, path_of(number))
        jobs.append(Job(path_of(number), file.stat().st_size))
    return jobs


def children() -> set[int]:
    """Processes whose parent is this one."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        pytest.skip("needs /proc to find the readers")
    texts = [(task / "children").read_text() for task in tasks.iterdir()]
    return {int(pid) for text in texts for pid in text.split()}


def open_descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def pool(home: Path, count: int = 3) -> ReaderPool:
    return ReaderPool(os.fspath(home), count)


def test_readings_come_in_the_order_of_the_jobs(home: Path) -> None:
    jobs = write_numbered(home, 300)
    with pool(home) as readers:
        results = list(readers.read(jobs, quiet))
    assert [job for job, _ in results] == jobs
    assert [reading.summary.tokens_used for _, reading in results if reading] == list(range(300))


def test_a_reading_is_what_reading_at_home_gives(home: Path) -> None:
    jobs = write_numbered(home, 20)
    with pool(home) as readers:
        for job, reading in readers.read(jobs, quiet):
            assert reading == read(home, job.path)


def test_a_reader_goes_on_from_what_is_known(home: Path) -> None:
    write(home, rollout(meta(), tokens(1)), path_of(0))
    known = known_of(read(home, path_of(0)))
    with pool(home) as readers:
        ((_, reading),) = readers.read([Job(path_of(0), known=known)], quiet)
    assert reading is not None
    assert (reading.read, reading.summary.tokens_used) == (0, 1)


def test_a_file_that_is_gone_is_none_and_no_error(home: Path) -> None:
    jobs = write_numbered(home, 10)
    (home / path_of(4)).unlink()
    with pool(home) as readers:
        results = [reading for _, reading in readers.read(jobs, quiet)]
    assert [number for number, reading in enumerate(results) if reading is None] == [4]


def test_no_jobs_are_no_results(home: Path) -> None:
    with pool(home) as readers:
        assert list(readers.read([], quiet)) == []


def test_a_pool_reads_again(home: Path) -> None:
    jobs = write_numbered(home, 20)
    with pool(home) as readers:
        assert list(readers.read(jobs, quiet)) == list(readers.read(jobs, quiet))


def test_jobs_are_taken_as_they_are_needed(home: Path) -> None:
    jobs = write_numbered(home, 1)
    taken = 0

    def endless() -> Iterator[Job]:
        nonlocal taken
        while True:
            taken += 1
            yield jobs[0]

    with pool(home) as readers:
        results = readers.read(endless(), quiet)
        for _ in range(50):
            next(results)
    assert taken < 2000


def test_readers_make_way_for_whoever_writes(home: Path) -> None:
    before = children()
    with pool(home) as readers:
        assert list(readers.read(write_numbered(home, 3), quiet))
        niceness = {os.getpriority(os.PRIO_PROCESS, pid) for pid in children() - before}
    assert niceness == {os.getpriority(os.PRIO_PROCESS, 0) + 5}


def test_ticks_tell_all_bytes_that_were_read(home: Path) -> None:
    jobs = write_numbered(home, 30)
    write_with_hole(home, rollout(meta()), rollout(user()), 100 * MIB, path_of(99))
    jobs.append(Job(path_of(99), 100 * MIB))
    ticks: list[int] = []
    with pool(home) as readers:
        readings = [reading for _, reading in readers.read(jobs, ticks.append)]
    assert sum(ticks) == sum(reading.read for reading in readings if reading)


@pytest.mark.parametrize("kills", [1, 2])
def test_only_a_file_that_two_readers_died_of_is_to_blame(home: Path, kills: int) -> None:
    jobs = write_numbered(home, 60)
    write_with_hole(home, rollout(meta()), rollout(user()), 400 * MIB, path_of(7))
    (large,) = (job for job in jobs if job.path == path_of(7))
    before = children()
    killed: set[int] = set()

    with ReaderPool(os.fspath(home), 1) as readers:

        def kill_in_the_middle(taken: int) -> None:
            # The hole is told in steps of 32 MiB: so much at once comes from the large file only.
            if taken >= 32 * MIB and len(killed) < kills:
                (pid,) = children() - before
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)

        results = list(readers.read(jobs, kill_in_the_middle))

    assert len(killed) == kills
    assert [job for job, _ in results] == jobs
    failed = {job.path: reading.error for job, reading in results if reading and reading.error}
    assert list(failed) == ([large.path] if kills > 1 else [])
    assert all("two reader processes" in str(error) for error in failed.values())
    others = [reading for job, reading in results if job != large]
    assert all(reading is not None and reading.cursor is not None for reading in others)


def write_large(home: Path, path: str, size: int) -> Job:
    """A rollout of many parts, which says its tokens last."""
    text = rollout(*[user("x" * 900)] * 1000)
    content = rollout(meta()) + text * (size // len(text)) + rollout(user("end"), tokens(7))
    return Job(path, write(home, content, path).stat().st_size)


def test_a_large_file_is_read_by_several_readers_in_its_place(home: Path) -> None:
    jobs = write_numbered(home, 40)
    large = [write_large(home, path_of(number), 3 * PART_BYTES) for number in (50, 51, 52)]
    jobs[7:7] = large
    for begun in ([], jobs[:3], large, jobs):
        with pool(home) as readers:
            readers.begin(begun)
            results = list(readers.read(jobs, quiet))
        assert [job for job, _ in results] == jobs
        for job, reading in results:
            assert reading is not None
            whole = read(home, job.path)
            assert (reading.summary, reading.cursor) == (whole.summary, whole.cursor)


def test_a_large_file_that_grows_meanwhile_is_read_as_it_is_in_its_place(home: Path) -> None:
    jobs = write_numbered(home, 400)
    jobs.insert(5, write_large(home, path_of(500), 9 * PART_BYTES))
    grown = 0

    def grow(_taken: int) -> None:
        nonlocal grown
        if grown < 20:
            append(home, rollout(tokens(100 + grown)), path_of(500))
            grown += 1

    with pool(home) as readers:
        results = list(readers.read(jobs, grow))
    assert [job for job, _ in results] == jobs
    reading = results[5][1]
    assert reading is not None
    assert reading.error is None
    again = read(home, path_of(500), known_of(reading))
    assert again.summary == read(home, path_of(500)).summary


def test_a_large_file_that_goes_meanwhile_is_gone(home: Path) -> None:
    job = write_large(home, path_of(0), 4 * PART_BYTES)
    (home / path_of(0)).unlink()
    with pool(home) as readers:
        assert list(readers.read([job], quiet)) == [(job, None)]


# A reader with this is killed at its second part of any file, as often as there are bytes for it.
KILLED_AT_A_PART = """
import os, signal, sys
if 'rolloutd.rollout.worker' in sys.orig_argv:
    from rolloutd.rollout import parts
    whole = parts.read_part
    def read_part(home, path, part, **options):
        left = os.path.getsize(home + "/kills")
        if part.number == 1 and left:
            os.truncate(home + "/kills", left - 1)
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(home, path, part, **options)
    parts.read_part = read_part
"""


@pytest.mark.parametrize("kills", [1, 2])
def test_a_part_that_two_readers_died_of_fails_its_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(KILLED_AT_A_PART)
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))
    (home / "kills").write_bytes(b"x" * kills)
    jobs = write_numbered(home, 20)
    jobs.insert(3, write_large(home, path_of(500), 6 * PART_BYTES))
    with pool(home) as readers:
        results = list(readers.read(jobs, quiet))
    assert (home / "kills").stat().st_size == 0
    assert [job for job, _ in results] == jobs
    failed = {job.path: reading.error for job, reading in results if reading and reading.error}
    assert list(failed) == ([path_of(500)] if kills > 1 else [])
    assert all("two reader processes" in str(error) for error in failed.values())


def test_readers_that_cannot_start_end_the_reading_and_blame_no_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = "import sys\nif 'rolloutd.rollout.worker' in sys.orig_argv: sys.exit(9)\n"
    (tmp_path / "sitecustomize.py").write_text(refusing)
    monkeypatch.setenv("PYTHONPATH", os.fspath(tmp_path))
    jobs = write_numbered(home, 20)
    before = children()
    with pytest.raises(ReadersUnavailable, match="exit code"), pool(home) as readers:
        list(readers.read(jobs, quiet))
    assert children() == before


def test_a_system_without_room_for_readers_is_told_of(home: Path) -> None:
    before, descriptors = children(), open_descriptors()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    os.close(free := os.dup(0))  # the lowest that is
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, limits[1]))
    try:
        with pytest.raises(ReadersUnavailable, match="Too many open files"), pool(home) as readers:
            readers.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert children() == before
    assert open_descriptors() == descriptors


def test_readers_that_are_killed_again_and_again_leave_no_job_unanswered(home: Path) -> None:
    jobs = write_numbered(home, 200)
    before = children()
    kills = 0

    def kill_all(taken: int) -> None:
        nonlocal kills
        if taken and kills < 6:
            for pid in children() - before:
                os.kill(pid, signal.SIGKILL)
                kills += 1

    with pool(home) as readers:
        results = list(readers.read(jobs, kill_all))
    assert kills >= 6
    assert [job for job, _ in results] == jobs
    failed = [reading for _, reading in results if reading and reading.error]
    assert len(failed) <= kills
    assert all("ended" in str(reading.error) for reading in failed)


def test_readers_end_with_the_pool(home: Path) -> None:
    jobs = write_numbered(home, 5)
    before, descriptors = children(), open_descriptors()
    with pool(home) as readers:
        assert len(list(readers.read(jobs, quiet))) == 5
        assert len(children() - before) == 3
    assert children() == before
    assert open_descriptors() == descriptors


def test_what_a_tick_raises_ends_the_reading_and_the_readers(home: Path) -> None:
    jobs = write_numbered(home, 50)
    before, descriptors = children(), open_descriptors()

    def refuse(_: int) -> None:
        raise Refused

    with pytest.raises(Refused), pool(home) as readers:
        list(readers.read(jobs, refuse))
    assert children() == before
    assert open_descriptors() == descriptors


def test_a_caller_who_leaves_early_leaves_no_readers(home: Path) -> None:
    jobs = write_numbered(home, 100)
    before = children()
    with pool(home) as readers:
        assert next(readers.read(jobs, quiet))[0] == jobs[0]
    assert children() == before


def test_readers_are_not_shadowed_by_modules_in_the_current_directory(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "msgspec.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    jobs = write_numbered(home, 2)
    with pool(home, 1) as readers:
        readings = [reading for _, reading in readers.read(jobs, quiet)]
    assert [reading.error for reading in readings if reading] == [None, None]


def test_there_is_at_least_one_reader_and_never_a_crowd() -> None:
    assert 1 <= reader_count() <= 4


def test_a_head_start_is_used_if_it_was_of_the_same_files(home: Path) -> None:
    jobs = write_numbered(home, 700)
    others = [jobs[1], jobs[0], *jobs[2:]]
    for begun in (jobs, jobs[:3], others, jobs[5:], []):
        with pool(home) as readers:
            readers.begin(iter(begun))
            results = list(readers.read(iter(jobs), quiet))
            again = list(readers.read(iter(jobs[:9]), quiet))
        assert [job.path for job, _ in results] == [job.path for job in jobs]
        assert all(reading and reading.path == job.path for job, reading in results)
        assert [reading and reading.path for _, reading in again] == [job.path for job in jobs[:9]]


def test_a_head_start_without_a_sequel_leaves_nothing_behind(home: Path) -> None:
    jobs = write_numbered(home, 50)
    before = children()
    with pool(home) as readers:
        readers.begin(jobs)
        assert list(readers.read([], quiet)) == []
        assert [job for job, _ in readers.read(jobs[:2], quiet)] == jobs[:2]
    assert children() == before


def test_a_head_start_is_far_enough_and_fair(home: Path) -> None:
    """The parent comes back late; and few should wait behind a large one meanwhile."""
    taken = 0

    def sized(*sizes: int) -> Iterator[Job]:
        nonlocal taken
        for size in sizes:
            taken += 1
            yield Job(path_of(0), size)

    with pool(home, 2) as readers:
        readers.begin(sized(*[16 * MIB] * 100))
        assert 30 < taken < 40  # half a gigabyte
    taken = 0
    with pool(home, 2) as readers:
        readers.begin(sized(30 * MIB, *[MIB // 10] * 100))
        assert sorted(len(reader.jobs) for reader in readers._readers) == [1, 100]


def test_one_call_at_a_time(home: Path) -> None:
    """The answers of two would be taken for each other's, and both wait for ever."""
    jobs = write_numbered(home, 20)
    with pool(home) as readers:

        def nested(_taken: int) -> None:
            next(readers.read(jobs, quiet))

        with pytest.raises(AssertionError, match="another call"):
            next(readers.read(jobs, nested))
        assert len(list(readers.read(jobs, quiet))) == len(jobs)
