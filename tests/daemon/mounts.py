"""Real mounts, for as long as they are needed; skipped where this user may not make them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(target: Path, *options: str) -> Iterator[None]:
    """`mount OPTIONS target`, undone in the end."""
    done = subprocess.run(["mount", *options, target], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing may be mounted here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", target], check=True)


@contextmanager
def read_only(source: Path, target: Path) -> Iterator[None]:
    """`source` at `target` too, where nobody can write, root neither."""
    with mounted(target, "--bind", os.fspath(source)):
        subprocess.run(["mount", "-o", "remount,bind,ro", target], check=True)
        yield


@contextmanager
def small_disk(target: Path, size: int) -> Iterator[None]:
    """A file system of so many bytes."""
    with mounted(target, "-t", "tmpfs", "-o", f"size={size},mode=0700", "small"):
        yield


@contextmanager
def other_side(source: Path, target: Path, kind: str) -> Iterator[None]:
    """`source` at `target` too, as a file system of that kind, without events of changes below.

    By FUSE, which any user may mount.
    """
    if shutil.which("bindfs") is None or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("no bindfs, or nothing may be mounted here")
    subprocess.run(["bindfs", "-o", f"subtype={kind}", source, target], check=True)
    try:
        yield
    finally:
        subprocess.run(["fusermount", "-u", "-z", target], check=True)


@contextmanager
def immutable(*paths: Path) -> Iterator[None]:
    """Files of which nothing can be written, by those neither who have them open."""
    done = subprocess.run(["chattr", "+i", *paths], capture_output=True, check=False)
    try:
        if done.returncode:
            pytest.skip(f"no file can be made immutable here: {done.stderr.decode().strip()}")
        yield
    finally:
        subprocess.run(["chattr", "-i", *paths], stderr=subprocess.DEVNULL, check=False)
