"""Real Codex releases, installed from npm into a cache that outlives the test run.

``TEST_CACHE_ROLLOUTD`` names the cache, else it is ``rolloutd-tests`` in the user's cache folder.
Which registry is asked, and how, is npm's own configuration.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

PACKAGE = "@openai/codex"
INSTALL_SECONDS = 300

_ARCHITECTURES = {"x86_64": "x86_64", "AMD64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_SYSTEMS = {"Linux": "unknown-linux-musl", "Darwin": "apple-darwin"}


class ReleaseUnavailableError(Exception):
    """A release cannot be had here, through no fault of rolloutd: no npm, or no registry."""


def cache_folder() -> Path:
    """Where releases are kept between runs."""
    if chosen := os.environ.get("TEST_CACHE_ROLLOUTD"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rolloutd-tests"


def release(version: str) -> Path:
    """The native binary of a release, installed first if the cache lacks it.

    Safe to call from several processes at once: an install becomes visible by one rename, and
    whoever comes second throws its own away.

    Raises:
        ReleaseUnavailableError: npm is missing, fails or takes too long, or the platform is one
            that Codex has no binary for.
    """
    installed = cache_folder() / f"codex-{version}"
    if not installed.is_dir():
        _install(version, installed)
    return _find_binary(installed)


def _install(version: str, installed: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise ReleaseUnavailableError("npm is not on the PATH")
    installed.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".install-", dir=installed.parent) as scratch:
        fresh = Path(scratch, "package")
        fresh.mkdir()
        (fresh / "package.json").write_text(json.dumps({"private": True}))
        _run_npm(npm, version, fresh)
        _find_binary(fresh)
        try:
            fresh.rename(installed)
        except OSError:
            if not installed.is_dir():
                raise


def _run_npm(npm: str, version: str, folder: Path) -> None:
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    # Without --prefix, npm would install into whichever parent folder looks like a project.
    where = ["--prefix", str(folder), "--ignore-scripts"]
    command = [npm, "install", *where, *quiet, f"{PACKAGE}@{version}"]
    with tempfile.TemporaryFile() as log:
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            message = f"npm took over {INSTALL_SECONDS} s to install Codex {version}"
            raise ReleaseUnavailableError(message) from None
        if done.returncode:
            log.seek(0)
            said = log.read()[-2000:].decode(errors="replace").strip()
            raise ReleaseUnavailableError(f"npm cannot install Codex {version}: {said}")


def _find_binary(installed: Path) -> Path:
    """The one file that is this platform's Codex, wherever the release put it.

    Up to 0.36 it is ``bin/codex-TARGET``; then ``vendor/TARGET/codex/codex``, at first in the
    package and later in an optional one for the platform; lately ``vendor/TARGET/bin/codex``.
    """
    system = _SYSTEMS.get(platform.system())
    architecture = _ARCHITECTURES.get(platform.machine())
    if system is None or architecture is None:
        raise ReleaseUnavailableError(f"no Codex for {platform.system()} {platform.machine()}")
    target = f"{architecture}-{system}"
    scope = installed / "node_modules" / "@openai"
    for pattern in (
        f"codex/bin/codex-{target}",
        f"codex*/vendor/{target}/codex/codex",
        f"codex*/vendor/{target}/bin/codex",
    ):
        for binary in sorted(scope.glob(pattern)):
            binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
            return binary
    raise ReleaseUnavailableError(f"no binary for {target} in {installed}")
