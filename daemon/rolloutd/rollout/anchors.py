"""Anchors: short digests that tell whether a file still begins, and went on, as it was read.

Source: design.md, "Monitor". They cost two small reads whatever the file's size, and bind the
cursor to what was folded: the head holds the thread's id and time, the bytes before the cursor
the time of its last line.
"""

import os
from _blake2 import blake2b  # hashlib's own: hashlib itself loads OpenSSL, 4 MB and 10 ms

ANCHOR_BYTES = 1024


def anchors_at(descriptor: int, offset: int) -> str:
    """`head:tail`, digests of up to 1 KiB from the start and before `offset`, of an open file."""
    length = min(ANCHOR_BYTES, offset)
    head = os.pread(descriptor, length, 0)
    tail = head if length == offset else os.pread(descriptor, length, offset - length)
    return f"{_digest(head)}:{_digest(tail)}"


def anchors_of(content: memoryview) -> str:
    """The same of all bytes before an offset, where they are at hand."""
    return f"{_digest(content[:ANCHOR_BYTES])}:{_digest(content[-ANCHOR_BYTES:])}"


def _digest(data: bytes | memoryview) -> str:
    return blake2b(data, digest_size=8).hexdigest()
