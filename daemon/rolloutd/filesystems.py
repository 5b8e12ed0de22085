"""What is to be expected of file systems: events of changes, and one device each."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Network and pass-through mounts: what others write there makes no event here.
_WITHOUT_EVENTS = frozenset(
    {
        "9p",
        "afs",
        "ceph",
        "cifs",
        "fakeowner",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.grpcfuse",
        "fuse.osxfs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "fuse.vmhgfs-fuse",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "prl_fs",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
    }
)
# A file says that it is on one of the layers below, and its directory that it is on none.
_OF_LAYERS = frozenset({"aufs", "fuse.unionfs", "overlay"})
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def has_events(path: Path) -> bool:
    """Whether events are to be expected in all of `path`; assumed where the system is silent."""
    return _WITHOUT_EVENTS.isdisjoint(_kinds_now_at(path))


def mixes_devices(path: Path) -> bool:
    """Whether files there may be on other devices than their directories."""
    return not _OF_LAYERS.isdisjoint(_kinds_now_at(path))


def _kinds_now_at(path: Path) -> set[str]:
    try:
        mounts = _MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return set()
    return kinds_at(path.resolve(), mounts)


class _Mount(NamedTuple):
    number: str
    parent: str
    point: Path
    kind: str


def kinds_at(path: Path, mounts: str) -> set[str]:
    """Types of the file systems that `path` lies on, and that are mounted below it.

    `mounts` is a mountinfo (proc_pid_mountinfo(5)).
    """
    table = [mount for line in mounts.splitlines() if (mount := _parsed(line)) is not None]
    below: Mapping[str, list[_Mount]] = defaultdict(list)
    for mount in table:
        below[mount.parent].append(mount)
    roots = below.keys() - {mount.number for mount in table}
    places = [path, *(mount.point for mount in table if mount.point.is_relative_to(path))]
    return {kind for place in places for root in roots for kind in _kind_of(place, root, below)}


def _kind_of(path: Path, root: str, below: Mapping[str, Sequence[_Mount]]) -> list[str]:
    """The type of the file system that a path ends on: as the kernel walks, mount by mount."""
    kind: list[str] = []
    inside = root
    while True:
        # On the way down, the mount that comes first is entered; it hides what lies below its
        # point in the one that we come from, other mounts too.
        met = [mount for mount in below.get(inside, ()) if path.is_relative_to(mount.point)]
        if not met:
            return kind
        nearest = min(met, key=lambda mount: len(mount.point.parts))
        kind, inside = [nearest.kind], nearest.number


def _parsed(line: str) -> _Mount | None:
    head, _, tail = line.partition(" - ")
    fields = head.split(" ")
    if len(fields) <= 4 or not tail:
        return None
    point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
    number, parent = fields[:2]
    # The first of all, which an initramfs leaves behind, is its own parent.
    parent = "" if parent == number else parent
    return _Mount(number, parent, Path(point), tail.split(" ")[0])
