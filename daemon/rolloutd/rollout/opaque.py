"""Large lines that are passed over without being looked into.

Most bytes of a rollout are the content of response items, which no row depends on. A line that
is large, begins as Codex writes a response item and ends as one is taken for one: it costs the
search for its newline. Whether its content is flawless JSON and UTF-8 is left open, and so is
not counted among the parse errors; anything less plain is decoded like every other line.

A line that does not fit into a reader's buffer is let go of by its beginning alone, so that
memory does not grow with what nobody looks at.
"""

import re

OPAQUE_BYTES = 1024

_HEAD = re.compile(
    rb'\{"timestamp":"[0-9TZ:.+-]{1,40}",(?:"ordinal":[0-9]{1,20},)?'
    rb'"type":"(?:response_item|compacted)","payload":\{"'
)
END = b"}}"

# Nearly all of them have a timestamp of 24 characters, and then this. (Whatever those characters
# are: of a type that is given twice, the last one counts.)
START = b'{"timestamp":"'
USUAL = b'","type":"response_item","payload":{"'
USUAL_AT = len(START) + 24


def is_opaque(buffer: bytearray, start: int, end: int) -> bool:
    """Whether a line, of at least `OPAQUE_BYTES`, plainly holds a response item."""
    return buffer.endswith(END, start, end) and (
        (buffer.startswith(USUAL, start + USUAL_AT, end) and buffer.startswith(START, start))
        or _HEAD.match(buffer, start, end) is not None
    )


def begins_opaque(buffer: bytearray, end: int) -> bool:
    """Whether a line at a buffer's start, of which there may be more, begins as such a line."""
    return _HEAD.match(buffer, 0, end) is not None
