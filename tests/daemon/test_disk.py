"""Disks that are full, or that nothing can be written to: the database's, and the home's."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.living import append, living, wait_until_true
from tests.daemon.mounts import immutable, read_only, small_disk
from tests.oracle.cases_build import tokens
from tests.running import Place, dump, wait_until, watermark
from tests.state.test_database import without_privileges

QUICK: dict[str, Any] = {"ROLLOUTD_RECONCILE_SECONDS": "1"}
MB = 1_000_000


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in range(20):
        made.thread(number)
    return made


def fill(folder: Path) -> Path:
    """Leave no room on the disk of a folder."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_the_disk_is_full_and_then_is_not(place: Place) -> None:
    folder = place.database.parent
    folder.mkdir()
    with small_disk(folder, 4 * MB):
        with living(place, **QUICK) as daemon:
            filler = fill(folder)
            for number in range(100, 400):
                place.thread(number)
            daemon.wait_for("failing")
            assert daemon.says("disk is full") == 1
            append(place.home / watermark(1), tokens(5))
            filler.unlink()
            wait_until_true(place, 20)
            daemon.stop()
        assert dump(place.database) == place.fresh()


def test_a_disk_that_is_full_from_the_start(place: Place) -> None:
    folder = place.database.parent
    folder.mkdir()
    with small_disk(folder, MB):
        filler = fill(folder)
        done = place.run("run")
        assert (done.code, done.stdout) == (74, "")
        assert str(place.database) in done.stderr
        assert "full" in done.stderr or "No space" in done.stderr
        assert "Traceback" not in done.stderr
        filler.unlink()
        with living(place) as daemon:
            wait_until_true(place)
            daemon.stop()


def test_a_limit_on_the_size_of_files(place: Place) -> None:
    """Which SQLite takes for a full disk."""
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, -1))\n"
        "sys.argv[0] = 'rolloutd'\n"
        "from rolloutd.cli import main\n"
        "main()\n"
    )
    place.index()
    with (
        (place.root / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-c", code, "run"],
            env=place.environment | QUICK,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            for number in range(100, 700):
                place.thread(number)
            wait_until(
                lambda: (
                    b"full" in (place.root / "log").read_bytes()
                    or b"I/O" in (place.root / "log").read_bytes()
                ),
                "it is full",
            )
            assert process.poll() is None
            subprocess.run(["prlimit", f"--pid={process.pid}", "--fsize=unlimited"], check=True)
            wait_until_true(place, 20)
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(5) == 0
        finally:
            process.kill()
    assert dump(place.database) == place.fresh()


def test_the_database_is_made_read_only_and_writable_again(place: Place) -> None:
    with living(place, **QUICK) as daemon:
        files = [place.database, place.database.with_name("state.sqlite-wal")]
        with immutable(*files):
            append(place.home / watermark(1), tokens(5))
            daemon.wait_for("failing")
            place.thread(30)
            assert place.status()["daemon"]["problem"]
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def test_it_is_made_read_only_and_writable_again(place: Place) -> None:
    with living(place, prefix=without_privileges(), **QUICK) as daemon:
        place.database.chmod(0o400)
        place.database.parent.chmod(0o500)
        append(place.home / watermark(1), tokens(5))
        place.thread(31)
        assert daemon.process.poll() is None
        place.database.parent.chmod(0o700)
        place.database.chmod(0o600)
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


def tree_of(home: Path) -> dict[str, tuple[int, ...]]:
    """Everything below a home, and whatever tells that it was changed."""
    found: dict[str, tuple[int, ...]] = {}
    for path in (home, *home.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


def test_a_home_on_a_read_only_mount(place: Place, tmp_path: Path) -> None:
    """What others change below it is followed by events: it is the same file system."""
    source = tmp_path / "source"
    place.home.rename(source)
    place.home.mkdir()
    with read_only(source, place.home), living(place) as daemon:
        assert daemon.state is not None
        assert daemon.state.watch == "native"
        wait_until_true(place)
        append(source / watermark(1), tokens(5))
        new = source / watermark(500)
        new.parent.mkdir(parents=True)
        new.write_bytes((source / watermark(2)).read_bytes())
        before = tree_of(source)
        wait_until_true(place)
        daemon.hang_up()
        daemon.stop()
        assert tree_of(source) == before
        assert dump(place.database) == place.fresh()


def test_a_home_that_its_owner_may_not_write(place: Place) -> None:
    folders = [path for path in (place.home, *place.home.rglob("*")) if path.is_dir()]
    for path in place.home.rglob("*.jsonl"):
        path.chmod(0o400)
    for folder in folders:
        folder.chmod(0o500)
    before = tree_of(place.home)
    with living(place, prefix=without_privileges()) as daemon:
        wait_until_true(place)
        daemon.stop()
    assert tree_of(place.home) == before
    assert dump(place.database) == place.fresh()
