"""The unit's file where it cannot be read or written; the rest needs a manager (tests/system)."""

import os
from pathlib import Path

import pytest

from rolloutd.systemd.installation import Service, UnitUnusable
from rolloutd.systemd.systemctl import Systemctl
from tests.rollouts import without_privileges


def service(path: Path) -> Service:
    """Nothing here gets as far as asking a manager."""
    return Service(Systemctl(), path)


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rolloutd.service"
    path.mkdir()
    with pytest.raises(UnitUnusable, match="Is a directory"):
        service(path).file()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "systemd").write_text("")
    with pytest.raises(UnitUnusable):
        service(tmp_path / "systemd" / "user" / "rolloutd.service").write("text", force=False)


def test_what_permissions_forbid(tmp_path: Path) -> None:
    path = tmp_path / "rolloutd.service"
    path.write_text("text")
    path.chmod(0)
    code = """
import sys
from pathlib import Path
from rolloutd.systemd.installation import Service, UnitUnusable
from rolloutd.systemd.systemctl import Systemctl
try:
    Service(Systemctl(), Path(sys.argv[1])).file()
except UnitUnusable as error:
    print(error)
"""
    assert without_privileges(code, os.fspath(path)) == f"{path}: Permission denied\n"


def test_two_that_are_moved_aside_in_one_second_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "rolloutd.service"
    for text in ("one", "two", "three"):
        path.write_text(text)
        service(path)._move_aside(force=True)
    saved = sorted(each.read_text() for each in tmp_path.iterdir())
    assert saved == ["one", "three", "two"]
