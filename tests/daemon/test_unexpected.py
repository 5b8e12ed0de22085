"""Errors that nobody has thought of: never passed over, never a daemon that seems to live."""

import shutil
from pathlib import Path

import pytest
import zstandard

from tests.daemon.living import Daemon, living, wait_until_true
from tests.faults.processes import children_of, lives
from tests.running import Place, dump, wait_until

# Python that breaks something once the daemon is at work; until then it does what it did.
BREAK = """
import {module}
from rolloutd.monitor import Monitor
whole, enter, entered = {module}.{name}, Monitor._enter, []
def broken(*args, **options):
    if {when!r} in entered or not {when!r}:
        raise ZeroDivisionError("planted")
    return whole(*args, **options)
def noted(self, phase):
    entered.append(phase)
    enter(self, phase)
{module}.{name}, Monitor._enter = broken, noted
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place.make(tmp_path)
    for number in range(20):
        made.thread(number)
    return made


def has_ended_badly(daemon: Daemon) -> None:
    """With exit code 1, told on standard error, and with nothing left behind."""
    readers = children_of(daemon.process.pid)
    assert daemon.process.wait(10) == 1
    assert daemon.says("ZeroDivisionError: planted") == 1
    assert daemon.says("Traceback")
    wait_until(lambda: not any(map(lives, readers)), "no process is left", 2)
    assert daemon.state is None
    daemon.log.unlink()


def is_well(place: Place) -> None:
    """The next one is none the worse for it."""
    with living(place) as daemon:
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("rolloutd.backfill", "Backfill._work"),
        ("rolloutd.monitor", "Monitor._follow"),
        ("rolloutd.watch", "Watcher._watch"),
        ("rolloutd.watch", "Watcher._follow"),
    ],
)
def test_it_breaks_while_it_starts(place: Place, module: str, name: str) -> None:
    planted = BREAK.format(module=module, name=name, when="")
    with living(place, phase="", planted=planted) as daemon:
        has_ended_badly(daemon)
    is_well(place)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("rolloutd.follow", "Follower.follow"),
        ("rolloutd.watch", "tidy"),
        ("rolloutd.reconcile", "Reconcile.run"),
    ],
)
def test_it_breaks_at_work(place: Place, module: str, name: str) -> None:
    planted = BREAK.format(module=module, name=name, when="following")
    with living(place, planted=planted) as daemon:
        place.thread(30)
        daemon.hang_up()
        has_ended_badly(daemon)
    is_well(place)


def test_what_it_needs_later_is_loaded_by_then(place: Place, tmp_path: Path) -> None:
    """An upgrade, or a failing disk, may have taken it away meanwhile."""
    library = tmp_path / "library" / "zstandard"
    shutil.copytree(Path(zstandard.__file__).parent, library)
    path = place.thread(500)
    with living(place, PYTHONPATH=str(library.parent)) as daemon:
        shutil.rmtree(library / "__pycache__", ignore_errors=True)
        (library / "__init__.py").write_text("raise ImportError\n")
        path.with_name(f"{path.name}.zst").write_bytes(zstandard.compress(path.read_bytes()))
        path.unlink()
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()
