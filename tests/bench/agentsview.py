"""agentsview, the strongest peer: a Go program that indexes the logs of many agents.

It keeps more than rolloutd does, every message with a full-text index, so what it takes is no
measure of what rolloutd should take, but of what such an index costs its user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.oracle.releases import cache_folder

from .measure import Measured, RunError, until_end
from .trees import Tree

VERSION = "0.46.1"
AGENTSVIEW = f"agentsview {VERSION}"
INSTALL_SECONDS = 300
OFFLINE = ("unshare", "--map-root-user", "--net")
"""Runs a program in a network of its own, with nothing and nobody else in it."""


@dataclass(frozen=True, slots=True)
class AgentsView:
    """Its one-shot sync, which does without its daemon, into an archive in a home of its own."""

    binary: Path
    name: str = AGENTSVIEW

    def run(self, tree: Tree, folder: Path) -> Measured:
        """Sync both roots of the tree, as it would those of `~/.codex`."""
        settings = folder / ".agentsview" / "config.toml"
        settings.parent.mkdir()
        roots = ", ".join(f'"{part}"' for part in sorted(tree.home.iterdir()))
        settings.write_text(f"[agents.codex]\ndirs = [{roots}]\n", encoding="utf-8")
        settings.chmod(0o600)
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "AGENTSVIEW_NO_DAEMON": "1",
            "AGENTSVIEW_TELEMETRY_ENABLED": "0",
            "DO_NOT_TRACK": "1",
        }
        command = [*OFFLINE, str(self.binary), "sync"]
        measured, stdout = until_end(command, folder, env)
        if f"Database: {tree.files} sessions" not in stdout.decode(errors="replace"):
            raise RunError(f"not {tree.files} sessions: {stdout[-300:]!r}")
        return measured


def installed() -> Path:
    """Return its binary; install it from PyPI first unless the cache has it.

    Raises RunError if it cannot be had, or cannot be kept off the network.
    """
    if subprocess.run([*OFFLINE, "true"], capture_output=True, check=False).returncode:
        raise RunError("this user cannot give it a network of its own (unshare), so it is not run")
    folder = cache_folder() / f"agentsview-{VERSION}"
    binary = folder / "agentsview" / "bin" / "agentsview"
    if not binary.exists():
        _install(folder)
    if not binary.exists():
        raise RunError("its package has no binary for this machine")
    binary.chmod(0o755)
    return binary


def _install(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".install-", dir=folder.parent) as scratch:
        fresh = Path(scratch, "package")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--target", str(fresh)]
        try:
            done = subprocess.run(
                [*command, f"agentsview=={VERSION}"],
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RunError(f"pip took over {INSTALL_SECONDS} s to install it") from None
        if done.returncode:
            raise RunError(f"pip cannot install it: {done.stderr.strip()[-300:]}")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
