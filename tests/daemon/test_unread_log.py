"""A log that nobody reads: nothing else waits for it, nor does the end."""

import os
import pty
import re
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.daemon.living import living, wait_until_true
from tests.running import Place, dump

_RECORDS = 10_000
_CODE = f"""
import logging
from rolloutd.logs import configure_logging
from rolloutd.logs_apart import written_apart
configure_logging("info", "plain")
with written_apart():
    for number in range({_RECORDS}):
        logging.getLogger("rolloutd").info("record %d", number)
    print("done", flush=True)
    input()
    logging.getLogger("rolloutd").info("the last")
"""


@contextmanager
def full_pipe() -> Iterator[int]:
    read, write = os.pipe()
    os.set_blocking(write, False)
    filled = 0
    try:
        while True:
            filled += os.write(write, b"\n" * 1024)
    except BlockingIOError:
        os.set_blocking(write, True)
    try:
        yield write
        assert os.read(read, filled) == b"\n" * filled
    finally:
        os.close(read)
        os.close(write)


@contextmanager
def held_terminal() -> Iterator[int]:
    master, slave = pty.openpty()
    termios.tcflow(slave, termios.TCOOFF)  # what Ctrl-S does
    try:
        yield slave
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize("unread", [full_pipe, held_terminal])
def test_the_daemon_does_not_wait_for_its_reader(
    tmp_path: Path, unread: Callable[[], AbstractContextManager[int]]
) -> None:
    place = Place.make(tmp_path)
    for number in range(20):
        place.thread(number)
    with (
        unread() as stderr,
        living(place, stderr=stderr, ROLLOUTD_LOG_LEVEL="debug") as daemon,
    ):
        # More is said than would fit anywhere.
        for number in range(20, 40):
            place.thread(number)
            wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize("blocking", [True, False])
def test_an_end_that_has_something_to_say_does_not_wait(tmp_path: Path, *, blocking: bool) -> None:
    place = Place.make(tmp_path)
    with living(place), full_pipe() as write:
        os.set_blocking(write, blocking)
        ended = subprocess.run(
            [sys.executable, "-m", "rolloutd", "run"],
            env=place.environment,
            stderr=write,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 75


def test_what_was_lost_is_counted_once_it_is_read() -> None:
    read, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", _CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=write
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        os.close(write)
        text = b""
        while b"were lost" not in text:
            text += os.read(read, 65536)
        process.stdin.write(b"\n")
        process.stdin.close()
        while more := os.read(read, 65536):
            text += more
        assert process.wait(10) == 0
    os.close(read)
    said = [line.split(maxsplit=2)[2] for line in text.decode().splitlines()]
    first = [f"INFO record {number}" for number in range(len(said) - 2)]
    assert said == [
        *first,
        f"WARNING {_RECORDS - len(first)} log records were lost here: nobody read them in time",
        "INFO the last",
    ]
    assert 1000 <= len(first) < _RECORDS


def test_all_is_written_before_it_ends() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _CODE], input=b"\n", capture_output=True, timeout=30, check=True
    )
    said = re.findall(rb"record (\d+)", ended.stderr)
    assert list(map(int, said)) == list(range(_RECORDS))
    assert ended.stderr.endswith(b"the last\n")


def test_it_ends_though_nobody_reads() -> None:
    with full_pipe() as write:
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-c", _CODE],
            input=b"\n",
            stdout=subprocess.DEVNULL,
            stderr=write,
            timeout=30,
            check=True,
        )
        assert time.monotonic() - began < 5
