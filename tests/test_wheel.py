"""The wheel: it carries what is not Python, and works without the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

_UPGRADE = """
import sqlite3, sys
from alembic import command
from alembic.config import Config
import rolloutd
from rolloutd.resources import resource
from rolloutd.state.revision import HEAD
from sqlalchemy import create_engine
assert rolloutd.__file__.startswith(sys.argv[1]), rolloutd.__file__
config = Config()
config.set_main_option("script_location", str(resource("migrations")))
with create_engine("sqlite:///" + sys.argv[2]).begin() as connection:
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
found = sqlite3.connect(sys.argv[2]).execute("SELECT version_num FROM alembic_version").fetchone()
assert found == (HEAD,), found
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        f"-w{folder}",
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "CI" not in os.environ and "hatchling" in done.stderr:
        pytest.skip("hatchling, which builds the wheel, cannot be had from here")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("rolloutd-*.whl"))


@pytest.mark.parametrize("folder", ["migrations", "systemd", "deploy"])
def test_wheel_carries_what_is_not_python(wheel: Path, folder: str) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    wanted = {
        f"rolloutd/_bundled/{path.relative_to(ROOT)}" for path in files if path.suffix != ".pyc"
    }
    assert wanted
    assert wanted <= names


def test_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    home = tmp_path / "home"
    (home / ".codex" / "sessions").mkdir(parents=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(target)}
    python = [sys.executable, "-W", "error::ResourceWarning"]
    database = home / ".local/state/rolloutd/state.sqlite"
    for command in (
        [*python, "-m", "rolloutd", "backfill"],
        [*python, "-m", "rolloutd", "status"],
        [*python, "-c", _UPGRADE, str(target), str(tmp_path / "upgraded.sqlite")],
    ):
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert database.is_file()
