"""One daemon on one database, and what it says of itself."""

import itertools
import os
import signal
import stat
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rolloutd.errors import WorkHeld
from rolloutd.instance import DaemonState, running_daemon, single_instance
from tests.running import wait_until

# Holds the lock, and says that it is there, until it is killed.
HOLDER = """
import os, sys, time
from pathlib import Path
from rolloutd.instance import DaemonState, single_instance
with single_instance(Path(sys.argv[1])) as instance:
    instance.tell(DaemonState(os.getpid(), 1_790_000_000_000))
    print(flush=True)
    time.sleep(600)
"""
STATE = DaemonState(pid=7, since_ms=1_790_000_000_000)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "state.sqlite"


def lock_of(database: Path) -> Path:
    return database.with_name("state.sqlite.lock")


@contextmanager
def holder(database: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-c", HOLDER, str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            yield process
        finally:
            process.kill()


def test_nobody(database: Path) -> None:
    assert running_daemon(database) is None
    assert not database.parent.exists()


def test_the_first_is_named_and_none_other_let_in(database: Path) -> None:
    with holder(database) as other:
        named = f"process {other.pid}, since 20[0-9-]* [0-9:]*$"
        with pytest.raises(WorkHeld, match=named), single_instance(database):
            pytest.fail("there are two")
        state = running_daemon(database)
        assert state is not None
        assert (state.pid, state.phase) == (other.pid, "starting")


def test_a_killed_one_leaves_nothing_behind(database: Path) -> None:
    with holder(database) as other:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        assert b"starting" in lock_of(database).read_bytes()
        assert running_daemon(database) is None
        with single_instance(database) as instance:
            assert b"starting" not in lock_of(database).read_bytes()
            instance.tell(STATE)
            assert running_daemon(database) == STATE
    assert running_daemon(database) is None


def test_private_whatever_the_umask(database: Path) -> None:
    before = os.umask(0)
    try:
        with single_instance(database):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(lock_of(database).stat().st_mode) == 0o600
    assert stat.S_IMODE(database.parent.stat().st_mode) == 0o700


def test_who_only_asks_does_not_keep_it_from_starting(database: Path) -> None:
    with single_instance(database):
        pass
    calm = threading.Event()

    def ask() -> None:
        while not calm.is_set():
            assert running_daemon(database) in (None, STATE)

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(30):
            with single_instance(database) as instance:
                instance.tell(STATE)
    finally:
        calm.set()
        for asker in askers:
            asker.join()


def test_what_is_read_is_always_one_whole_state(database: Path) -> None:
    states = [
        DaemonState(1, 2, problem="x" * length, queue=length) for length in (3000, 0, 90_000, 10)
    ]
    calm = threading.Event()
    seen = Counter[DaemonState | None]()

    def look() -> bool:
        seen[running_daemon(database)] += 1
        return seen.total() >= 200 and seen.keys() >= set(states)

    with single_instance(database) as instance:
        instance.tell(states[0])

        def tell() -> None:
            for state in itertools.cycle(states):
                instance.tell(state)
                if calm.is_set():
                    return

        teller = threading.Thread(target=tell)
        teller.start()
        try:
            wait_until(look, "each state is read, and often", pause=0)
        finally:
            calm.set()
            teller.join()
    assert seen.keys() == set(states)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b'{"pid":"many"}',
        b"\xff\xfe\x00" * 100,
        b'{"pid":1,"since_ms":1,"novel":{"a":[]}}',
        b"x" * 3_000_000,
    ],
)
def test_whatever_the_file_says(database: Path, content: bytes) -> None:
    """Without a lock on it, it is void; and no daemon is kept from starting by it."""
    lock_of(database).parent.mkdir()
    lock_of(database).write_bytes(content)
    assert running_daemon(database) is None
    with single_instance(database) as instance:
        assert not lock_of(database).read_bytes().strip()
        with pytest.raises(WorkHeld, match="is starting"), single_instance(database):
            pytest.fail("there are two")
        instance.tell(STATE)
        assert running_daemon(database) == STATE


def test_a_state_of_another_version(database: Path) -> None:
    """What it says beyond what we know is passed over; what it does not say is as if unsaid."""
    with single_instance(database):
        lock_of(database).write_bytes(b'{"pid":7,"since_ms":1790000000000,"novel":{"a":[]}}')
        assert running_daemon(database) == STATE


def test_one_that_has_only_just_begun_is_given_a_moment(database: Path) -> None:
    with single_instance(database) as instance:
        later = threading.Timer(0.1, instance.tell, [STATE])
        later.start()
        assert running_daemon(database) == STATE
        later.join()


def test_its_file_is_deleted(database: Path) -> None:
    """With all that lies beside it, say: the next word of the daemon puts it there again."""
    with single_instance(database) as instance:
        for _ in range(2):
            instance.tell(STATE)
            lock_of(database).unlink()
            lock_of(database).parent.rmdir()
            assert running_daemon(database) is None
            instance.tell(STATE)
            assert running_daemon(database) == STATE
            with pytest.raises(WorkHeld), single_instance(database):
                pytest.fail("there are two")
        lock_of(database).unlink()
        with holder(database) as other:
            instance.tell(STATE)
            state = running_daemon(database)
            assert state is not None
            assert state.pid == other.pid
        instance.tell(STATE)
        wait_until(lambda: running_daemon(database) == STATE, "it is ours again")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    database = tmp_path / "file" / "state.sqlite"
    with pytest.raises((NotADirectoryError, FileExistsError)), single_instance(database):
        pytest.fail("there is no such folder")
    assert running_daemon(database) is None
