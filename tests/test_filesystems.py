"""Which mount a path lies on, out of tables as Linux writes them; and whether that has events."""

from pathlib import Path

import pytest

from rolloutd.filesystems import has_events, kinds_at

# A server: a disk, a home over NFS with an automounter above it, and a name with odd letters.
SERVER = r"""
22 28 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:13 - proc proc rw
28 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
30 28 0:26 / /home rw,relatime shared:10 - autofs systemd-1 rw,fd=37,pgrp=1,timeout=0,direct
41 30 0:44 / /home rw,relatime shared:20 - nfs4 filer:/export/home rw,vers=4.2,hard
52 28 254:1 / /srv/my\040disk\011and\134slash rw,relatime shared:30 - xfs /dev/vdb rw
53 28 0:50 / /srv/ünïcode rw,relatime shared:31 - cifs //nas/share rw
54 28 0:51 / /srv/data - and\040more rw,relatime shared:32 - nfs nas:/data rw
60 28 0:60 / /mnt/ssh rw,nosuid,nodev,relatime shared:40 - fuse.sshfs ada@host: rw,user_id=1000
"""
# Docker: an overlay as the root, the host's disk bound into it, secrets on a tmpfs.
CONTAINER = """
812 700 0:93 / / rw,relatime master:301 - overlay overlay rw,lowerdir=/var/lib/a:/var/lib/b
813 812 0:96 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
820 812 254:1 /home/ada/.codex /root/.codex rw,relatime - ext4 /dev/vda1 rw
821 812 0:97 / /run/secrets ro,relatime - tmpfs tmpfs ro
"""
# WSL 2: the Linux disk, Windows' drives over 9p, and what lies over one of them.
WSL = """
60 0 8:32 / / rw,relatime - ext4 /dev/sdc rw,discard,errors=remount-ro,data=ordered
71 60 0:30 / /mnt/wsl rw,relatime shared:1 - tmpfs none rw
78 60 0:62 / /mnt/c rw,noatime - 9p C:\\134 rw,dirsync,aname=drvfs;path=C:\\;uid=1000
79 78 8:48 / /mnt/c/linux rw,relatime - ext4 /dev/sdd rw
"""
# Mounts over mounts: /a is covered by one that is younger than what was mounted below it.
STACKED = """
1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:40 / /a/b rw - nfs4 filer:/b rw
3 1 0:41 / /a rw - tmpfs tmpfs rw
4 1 0:42 / /c rw - tmpfs tmpfs rw
5 4 0:43 / /c rw - nfs filer:/c rw
6 5 8:2 / /c rw - xfs /dev/sdb rw
"""
# An initramfs that stays below the real root.
INITRAMFS = """
1 1 0:2 / / rw - rootfs rootfs rw
22 1 8:1 / / rw,relatime - btrfs /dev/sda1 rw
23 22 0:5 / /home rw - nfs filer:/home rw
"""


@pytest.mark.parametrize(
    ("mounts", "path", "kind"),
    [
        (SERVER, "/", "ext4"),
        (SERVER, "/homestead/ada", "ext4"),
        (SERVER, "/home/ada/.codex/sessions", "nfs4"),
        (SERVER, "/srv/my disk\tand\\slash/sessions", "xfs"),
        (SERVER, "/srv/my", "ext4"),
        (SERVER, "/srv/ünïcode/x", "cifs"),
        (SERVER, "/mnt/ssh/.codex", "fuse.sshfs"),
        (CONTAINER, "/home/user/.codex", "overlay"),
        (CONTAINER, "/root/.codex/sessions", "ext4"),
        (CONTAINER, "/run/secrets", "tmpfs"),
        (WSL, "/home/ada/.codex/sessions", "ext4"),
        (WSL, "/mnt/c/Users/Ada/.codex/sessions", "9p"),
        (WSL, "/mnt/c/linux/sessions", "ext4"),
        (INITRAMFS, "/var/sessions", "btrfs"),
        (INITRAMFS, "/home/ada/.codex", "nfs"),
        (STACKED, "/a/b/sessions", "tmpfs"),
        (STACKED, "/c/sessions", "xfs"),
    ],
)
def test_the_file_system_of_a_path(mounts: str, path: str, kind: str) -> None:
    found = kinds_at(Path(path), mounts)
    assert kind in found
    if path not in {"/", "/srv/my"}:
        assert found == {kind}


def test_what_is_mounted_below_counts_too() -> None:
    assert kinds_at(Path("/mnt"), WSL) == {"ext4", "tmpfs", "9p"}
    assert kinds_at(Path("/a"), STACKED) == {"tmpfs"}  # nobody can come to the other one
    assert kinds_at(Path("/srv"), SERVER) >= {"ext4", "xfs", "cifs"}


@pytest.mark.parametrize("mounts", ["", "\n", "nonsense", "1 2 3 - ext4", "1 0 8:1 / / rw ext4"])
def test_a_table_that_says_nothing(mounts: str) -> None:
    assert kinds_at(Path("/x"), mounts) == set()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        *((kind, False) for kind in ("9p", "nfs", "nfs4", "cifs", "fuse.sshfs", "virtiofs")),
        *((kind, True) for kind in ("ext4", "btrfs", "overlay", "tmpfs", "zfs", "fuseblk")),
    ],
)
def test_which_have_events(
    kind: str, *, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:9 / {tmp_path} rw - {kind} x rw\n")
    monkeypatch.setattr("rolloutd.filesystems._MOUNTS", table)
    assert has_events(tmp_path) is expected
    assert has_events(Path("/")) is expected  # it is mounted below
    (tmp_path / "link").symlink_to(tmp_path)
    assert has_events(tmp_path / "link") is expected


def test_a_system_that_does_not_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rolloutd.filesystems._MOUNTS", tmp_path / "absent")
    assert has_events(tmp_path)


def test_this_machine(tmp_path: Path) -> None:
    assert len(kinds_at(tmp_path, Path("/proc/self/mountinfo").read_text())) == 1
    assert kinds_at(Path("/proc/self"), Path("/proc/self/mountinfo").read_text()) == {"proc"}
