"""Other people's programs that read the database, installed into the tests' cache.

They are not in the development group: together they are larger than all else. Which registries
are asked, and how, is pip's and npm's own configuration. What cannot be had skips its tests, but
fails them under CI.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.oracle.releases import cache_folder

# DuckDB's reader of SQLite files comes with a package of its own, so it downloads nothing itself.
PYTHON_PACKAGES = (
    "datasette==0.65.5",
    "duckdb==1.5.5",
    "duckdb-extension-sqlite-scanner==1.5.5",
    "pandas==3.1.1",
    "setuptools<81",  # datasette asks it which plugins there are
)
# With SQLite of its own, which needs no compiler.
NODE_VERSION = "22.23.3"
INSTALL_SECONDS = 600

_ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class MissingConsumerError(Exception):
    """A consumer cannot be had here, through no fault of rolloutd."""


def python_packages() -> Path:
    """A folder for PYTHONPATH."""
    names = [each.replace("==", "-").replace("<", "-") for each in PYTHON_PACKAGES]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _installed(
        f"python{version}-" + "-".join(sorted(names)),
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"],
        lambda folder: ["--target", str(folder), *PYTHON_PACKAGES],
    )


def node() -> Path:
    """Node's binary, as the npm registry has it."""
    npm = shutil.which("npm")
    architecture = _ARCHITECTURES.get(platform.machine())
    if npm is None or architecture is None or sys.platform != "linux":
        raise MissingConsumerError("no npm on the PATH, or no package of Node for this machine")
    package = f"node-linux-{architecture}"
    folder = _installed(
        f"{package}-{NODE_VERSION}",
        [npm, "install", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"],
        lambda folder: ["--ignore-scripts", "--prefix", str(folder), f"{package}@{NODE_VERSION}"],
    )
    return folder / "node_modules" / package / "bin" / "node"


def program(name: str) -> str:
    """A program that the system has."""
    found = shutil.which(name)
    if found is None:
        raise MissingConsumerError(f"{name} is not on the PATH")
    return found


def _installed(name: str, command: list[str], where: Callable[[Path], list[str]]) -> Path:
    """The folder of that name in the cache, filled by the command if it is not there."""
    target = cache_folder() / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".install-", dir=target.parent) as scratch:
        fresh = Path(scratch, "package")
        fresh.mkdir()
        (fresh / "package.json").write_text(json.dumps({"private": True}))
        try:
            done = subprocess.run(
                [*command, *where(fresh)],
                cwd=fresh,
                env={**os.environ, "PIP_CONSTRAINT": ""},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise MissingConsumerError(f"{name}: nothing within {INSTALL_SECONDS} s") from None
        if done.returncode:
            raise MissingConsumerError(f"{name} cannot be installed: {done.stderr[-1000:]}")
        try:
            fresh.rename(target)
        except OSError:  # another run was quicker
            if not target.is_dir():
                raise
    return target
