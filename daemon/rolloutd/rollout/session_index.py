"""`session_index.jsonl`: names that users gave to threads, the latest entry of a thread last."""

import os
import stat
from pathlib import Path

import msgspec
from msgspec import Struct

from rolloutd.rollout.depth import is_too_deep
from rolloutd.rollout.names import parse_thread_id
from rolloutd.rollout.text import trim

FILE_NAME = "session_index.jsonl"


class _Entry(Struct):
    id: str
    thread_name: str


_decode = msgspec.json.Decoder(_Entry).decode


def read_session_names(home: Path) -> dict[str, str]:
    """Thread id to name. Lines that say nothing are passed over; no file means no names.

    Raises:
        OSError: the file is there and cannot be read.
    """
    path = home / FILE_NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if path.exists():
            raise  # It is being replaced this very moment.
        return {}
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return {}
    with os.fdopen(descriptor, "rb") as file:
        content = file.read()
    names: dict[str, str] = {}
    for line in content.split(b"\n"):
        if is_too_deep(line):
            continue
        try:
            entry = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        thread_id, name = parse_thread_id(entry.id), trim(entry.thread_name)
        if thread_id is not None and name:
            names[thread_id] = name
    return names
