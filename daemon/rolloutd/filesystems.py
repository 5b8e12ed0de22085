"""Which file systems tell of changes."""

import re
from pathlib import Path

# Network and pass-through mounts: what others write there makes no event here.
_WITHOUT_EVENTS = frozenset(
    {
        "9p",
        "afs",
        "ceph",
        "cifs",
        "fuse.glusterfs",
        "fuse.rclone",
        "fuse.sshfs",
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
        "fuse.vmhgfs-fuse",
    }
)
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


def has_events(path: Path) -> bool:
    """Whether events are to be expected for `path`; assumed where the system does not say."""
    try:
        mounts = _MOUNTS.read_text(errors="surrogateescape")
    except OSError:
        return True
    return kind_of(path.resolve(), mounts) not in _WITHOUT_EVENTS


def kind_of(path: Path, mounts: str) -> str:
    """Type of the file system that `path` lies on, out of a mountinfo (proc_pid_mountinfo(5))."""
    found, kind = "", ""
    for line in mounts.splitlines():
        head, _, tail = line.partition(" - ")
        fields = head.split(" ")
        if len(fields) > 4 and tail:
            point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[4])
            # Of several mounts on one point, the last is on top.
            if path.is_relative_to(point) and len(point) >= len(found):
                found, kind = point, tail.split(" ")[0]
    return kind
