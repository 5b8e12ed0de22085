"""Reads that fail although the file is there: by libfiu, which makes the system's calls fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rolloutd.rollout.lines import BUFFER_BYTES
from tests.daemon.living import append, living, wait_until_true
from tests.oracle.cases_build import tokens, user
from tests.running import Place, dump, watermark

READ = """
import sys
from rolloutd.rollout.reading import read_rollout
reading = read_rollout(sys.argv[1], sys.argv[2])
print(reading.error, reading.cursor)
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    if shutil.which("fiu-run") is None and "CI" not in os.environ:
        pytest.skip("fiu-run, of Debian's fiu-utils, is not there")
    made = Place.make(tmp_path)
    made.thread(1)
    return made


# libfiu knows pread(2), not preadv(2): that of the anchors, where not all is read in one go.
@pytest.mark.parametrize("size", [BUFFER_BYTES, 10 * BUFFER_BYTES])
def test_a_file_whose_bytes_cannot_be_read_is_marked(place: Place, size: int) -> None:
    append(place.home / watermark(1), user("x" * size))
    failing = "enable name=posix/io/rw/pread,failinfo=5"
    command = ["fiu-run", "-x", "-f", "", "-c", failing, sys.executable, "-c", READ]
    done = subprocess.run(
        [*command, str(place.home), watermark(1)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "reading: Input/output error None\n", done.stderr


def test_the_daemon_outlives_a_spell_of_errors(place: Place) -> None:
    control = place.root / "fiu"
    prefix = ("fiu-run", "-x", "-f", str(control))

    def tell(command: str) -> None:
        arguments = ["fiu-ctrl", "-c", command, "-f", str(control), str(daemon.process.pid)]
        subprocess.run(arguments, check=True, timeout=20)

    with living(place, prefix=prefix, ROLLOUTD_RECONCILE_SECONDS="1") as daemon:
        tell("enable name=posix/io/rw/pread,failinfo=5")
        append(place.thread(1), tokens(5))
        daemon.wait_for("failing")
        tell("disable name=posix/io/rw/pread")
        wait_until_true(place)
        daemon.stop()
    assert dump(place.database) == place.fresh()
