"""The episodes: each mistreats one room in one way, and leaves a place that can be made true."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeAlias

from rolloutd.state.revision import APPLICATION_ID
from tests.daemon.living import Daemon
from tests.faults.processes import children_of
from tests.running import Place, wait_until
from tests.torture.room import Room

Episode: TypeAlias = Callable[[Room], None]

_KILLS = 10
_FILES = 200
_READERS = 4
_DAMAGE = 4
_MOST_DAMAGED = 200
# Of an SQLite database.
_MARK = range(68, 72)
_WATCHED_SECONDS = 0.4
_DAY = 86_400


def kill(room: Room) -> None:
    """kill -9, at any moment of a life: importing, in the backfill, following."""
    for number in range(_FILES):
        room.place.thread(number)
    for _ in range(_KILLS):
        if room.rng.random() < 0.3:
            for file in room.place.database.parent.glob("state.sqlite*"):
                file.unlink()
        # Small batches, so that there are many moments between two of them.
        size = str(room.rng.choice((1, 5, 50)))
        with room.daemon(env={"ROLLOUTD_BACKFILL_BATCH_SIZE": size}) as daemon:
            if room.rng.random() < 0.4:
                room.settle()
                daemon.wait_for("following")
                room.mistreat()
                time.sleep(room.rng.uniform(0, 0.3))
            else:
                time.sleep(room.rng.uniform(0, 1.5))
            if room.rng.random() < 0.3:
                _kill_readers(daemon)
                time.sleep(room.rng.uniform(0, 0.1))
            room.kill(daemon)
        room.mistreat(4)


def _kill_readers(daemon: Daemon) -> None:
    for pid, _ in children_of(daemon.process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def freeze(room: Room) -> None:
    """SIGSTOP while things happen, SIGCONT, over and over."""
    with room.daemon(phase="following") as daemon:
        before = room.vitals(daemon)
        for _ in range(5):
            daemon.process.send_signal(signal.SIGSTOP)
            room.mistreat()
            daemon.process.send_signal(signal.SIGCONT)
            time.sleep(room.rng.uniform(0, 0.5))
            room.mistreat()
            room.counts["stops"] += 1
        room.holds_no_more(daemon, before)
        daemon.stop()


def clock(room: Room) -> None:
    """The wall clock jumps, days ahead and back."""
    library = _library("faketime/libfaketimeMT.so.1")
    offset = room.place.root / "offset"
    offset.write_text("+0")
    faked = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    with room.daemon(phase="following", env=faked) as daemon:
        before = room.vitals(daemon)
        for _ in range(5):
            days = room.rng.choice((-1, 1)) * room.rng.randrange(1, 90)
            offset.write_text(f"{days:+}d")
            room.mistreat()
            room.settle()
            wait_until(lambda days=days: _is_at(daemon, days), f"it takes it for {days} days later")  # type: ignore[misc]
            room.counts["jumps"] += 1
        room.holds_no_more(daemon, before)
        if room.rng.random() < 0.5:
            room.kill(daemon)
        else:
            daemon.stop()


def _is_at(daemon: Daemon, days: int) -> bool:
    state = daemon.state
    if state is None or state.last_reconcile_ms is None:
        return False
    return abs(state.last_reconcile_ms / 1000 - time.time() - days * _DAY) < _DAY / 2


def full_disk(room: Room) -> None:
    """The database's disk is full for a while."""
    folder = room.place.database.parent
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", folder], check=True)
    try:
        with room.daemon(phase="following") as daemon:
            before = room.vitals(daemon)
            for _ in range(3):
                filler = folder / "filler"
                _fill(filler)
                for _ in range(4):
                    room.mistreat()
                    time.sleep(room.rng.uniform(0, 0.5))
                filler.unlink()
                room.counts["full disks"] += 1
                room.is_true_with(daemon)
            room.holds_no_more(daemon, before)
            daemon.stop()
        room.ends_well()
    finally:
        subprocess.run(["umount", folder], check=True)


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def io_errors(room: Room) -> None:
    """Reading, writing and syncing fail now and then, of rollouts and of the database alike."""
    points = (
        *("rw/pread", "rw/pwrite", "sync/fsync", "sync/fdatasync", "rw/ftruncate"),
        *("oc/open", "dir/opendir", "dir/fdopendir", "dir/readdir"),
    )
    chance = room.rng.choice((0.05, 0.2, 0.5))
    control = room.place.root / "fiu"
    prefix = ("fiu-run", "-x", "-f", str(control))
    with room.daemon(phase="following", prefix=prefix) as daemon:
        before = room.vitals(daemon)
        for _ in range(4):
            for point in points:
                _control(
                    control, daemon, f"enable_random name=posix/io/{point},probability={chance}"
                )
            for _ in range(4):
                room.mistreat()
                time.sleep(room.rng.uniform(0, 0.4))
            for point in points:
                _control(control, daemon, f"disable name=posix/io/{point}")
            room.counts["spells of I/O errors"] += 1
            room.is_true_with(daemon)
        room.holds_no_more(daemon, before)
        room.counts["I/O errors told"] += daemon.says("I/O error")
        daemon.stop()


def _control(control: Path, daemon: Daemon, command: str) -> None:
    assert daemon.process.poll() is None, daemon.log.read_text()
    subprocess.run(
        ["fiu-ctrl", "-c", command, "-f", control, str(daemon.process.pid)], check=True, timeout=20
    )


def two_daemons(room: Room) -> None:
    """Two of them start at once, a backfill beside them; the one that works is killed."""
    for _ in range(3):
        with room.daemon() as one, room.daemon() as other:
            ended = _who_ended(one, other)
            assert ended.process.wait() == 75, ended.log.read_text()
            winner = other if ended is one else one
            room.settle()
            winner.wait_for("following")
            room.mistreat()
            beside = room.place.run("backfill", ROLLOUTD_BACKFILL_WAIT_SECONDS="0")
            assert beside.code == 75, beside
            room.counts["pairs"] += 1
            room.kill(winner)
            room.mistreat()


def _who_ended(one: Daemon, other: Daemon) -> Daemon:
    def ended() -> list[Daemon]:
        return [each for each in (one, other) if each.process.poll() is not None]

    wait_until(ended, "one of two daemons gives way")
    return ended()[0]


def storm(room: Room) -> None:
    """Many who read all the time, some of them for long, while the daemon writes and dies."""
    calm = threading.Event()
    complaints: list[str] = []
    room.place.index()
    readers = [
        threading.Thread(target=_read, args=(room.place, calm, complaints, 0.2 * number))
        for number in range(_READERS)
    ]
    for reader in readers:
        reader.start()
    try:
        for _ in range(4):
            with room.daemon() as daemon:
                room.settle()
                daemon.wait_for("following")
                for _ in range(5):
                    room.mistreat()
                    time.sleep(room.rng.uniform(0, 0.2))
                room.kill(daemon)
    finally:
        calm.set()
        for reader in readers:
            reader.join()
    assert not complaints, complaints
    room.counts["reader storms"] += 1


def _read(place: Place, calm: threading.Event, complaints: list[str], linger: float) -> None:
    query = (
        "SELECT count(*) FROM threads WHERE id NOT IN "
        "(SELECT thread_id FROM rollouts WHERE thread_id IS NOT NULL)"
    )
    try:
        while not calm.is_set():
            uri = f"{place.database.as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
                connection.execute("BEGIN")
                (strays,) = connection.execute(query).fetchone()
                calm.wait(linger)
                assert (strays,) == connection.execute(query).fetchone()
                if strays:
                    complaints.append(f"{strays} threads without a rollout")
    except sqlite3.Error as error:
        complaints.append(repr(error))


def damage(room: Room) -> None:
    """The database's bytes change, its end is cut off, its log too; SQLite may not notice."""
    for number in range(_FILES):
        room.place.thread(number)
    for _ in range(_DAMAGE):
        with room.daemon(phase="following") as daemon:
            room.mistreat()
            time.sleep(room.rng.uniform(0, _WATCHED_SECONDS))
            if room.rng.random() < 0.3:
                _harm(room)
                room.mistreat()
                time.sleep(room.rng.uniform(0, _WATCHED_SECONDS))
            room.kill(daemon)
        _harm(room)
        room.settle()
        if not room.place.database.exists():
            # The daemon had put it aside, and was killed right then.
            room.place.backfill()
        # What SQLite takes for a sound page may say anything: only a deep look tells.
        repaired = room.place.run("verify", "--deep", "--repair", "--json")
        assert repaired.code == 0, repaired
        room.counts["damages"] += 1


def _harm(room: Room) -> None:
    suffix = room.rng.choice(("", "", "-wal"))
    file = room.place.database.with_name(room.place.database.name + suffix)
    if not file.exists() or not file.stat().st_size:
        return
    size = file.stat().st_size
    if room.rng.random() < 0.3:
        os.truncate(file, room.rng.randrange(size))
        return
    with file.open("r+b") as stream:
        for _ in range(room.rng.randrange(1, 5)):
            stream.seek(room.rng.randrange(size))
            stream.write(room.rng.randbytes(room.rng.randrange(1, _MOST_DAMAGED)))
        if not suffix and size > _MARK.stop:
            # Whose a database is, its mark alone says: one with another mark is left alone.
            stream.seek(_MARK.start)
            stream.write(APPLICATION_ID.to_bytes(len(_MARK)))


def _library(name: str) -> str:
    found = next(Path("/usr/lib").rglob(name), None)
    assert found is not None, f"{name} is not installed"
    return str(found)


EPISODES: Mapping[str, Episode] = {
    "kill": kill,
    "freeze": freeze,
    "clock": clock,
    "full-disk": full_disk,
    "io-errors": io_errors,
    "two-daemons": two_daemons,
    "storm": storm,
    "damage": damage,
}


def missing(name: str) -> str | None:
    """Why an episode cannot be had on this machine; None if it can."""
    match name:
        case "clock":
            needed = bool(list(Path("/usr/lib").rglob("faketime/libfaketimeMT.so.1")))
            return None if needed else "libfaketime is not installed"
        case "io-errors":
            return None if Path("/usr/bin/fiu-run").exists() else "fiu-utils is not installed"
        case "full-disk":
            can = sys.platform == "linux" and os.geteuid() == 0
            return None if can else "only root may mount a small disk"
        case _:
            return None
