"""What is no regular file, and so is not read."""

import stat


def describe_irregular(mode: int) -> str | None:
    """What a file is, if it is not a regular one."""
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return "symbolic link, not followed"
    for test, kind in (
        (stat.S_ISDIR, "directory"),
        (stat.S_ISFIFO, "FIFO"),
        (stat.S_ISSOCK, "socket"),
    ):
        if test(mode):
            return f"{kind}, not a regular file"
    return "not a regular file"
