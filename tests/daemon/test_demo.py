"""The demonstration runs, shows threads, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("interrupted", [True, False])
def test_it_shows_threads(tmp_path: Path, *, interrupted: bool) -> None:
    seconds = "60" if interrupted else "4"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.demo", "--seconds", seconds],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "COLUMNS": "150"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        if interrupted:
            with pytest.raises(subprocess.TimeoutExpired):
                demo.wait(4)
            demo.send_signal(signal.SIGINT)
        output, complaints = demo.communicate(timeout=20)
    assert (demo.returncode, complaints) == (0, "")
    assert "gpt-5" in output
    assert list(tmp_path.iterdir()) == []
