"""Rollouts to start from: the oracle's cases, and a home of each release that can be had."""

import io
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.conversation import Conversations
from tests.oracle.cases import CASES
from tests.oracle.cases_build import fill
from tests.oracle.homes import VERSIONS, talk, write_home
from tests.oracle.mock_responses import mock_responses
from tests.oracle.releases import ReleaseUnavailableError

_MOST_BYTES = 40_000
_CONVERSATIONS = 20


def corpus(rng: random.Random, *, releases: bool) -> list[bytes]:
    """Contents of rollouts, each small enough to be read in no time; the cases come first."""
    found = [fill(each.name, content) for each in CASES for content in each.files.values()]
    found += _generated(rng)
    if releases:
        found += _written()
    return [_shortened(content) for content in found]


def _generated(rng: random.Random) -> Iterator[bytes]:
    conversations = Conversations(rng)
    for number in range(_CONVERSATIONS):
        file = io.BytesIO()
        uuid = f"00000000-0000-7000-8000-{number:012x}"
        conversations.write(file, uuid, 1_770_000_000_000 + number, _MOST_BYTES)
        yield file.getvalue()


def _written() -> Iterator[bytes]:
    """What every release wrote; those that cannot be had are left out, and said to be."""
    with mock_responses(talk) as mock, tempfile.TemporaryDirectory() as folder:
        for version in VERSIONS:
            home = Path(folder) / version
            try:
                write_home(version, home, mock)
            except ReleaseUnavailableError as error:
                print(f"without rollouts of {version}: {error}")
                continue
            yield from (path.read_bytes() for path in sorted(home.rglob("rollout-*.jsonl")))


def _shortened(content: bytes) -> bytes:
    if len(content) <= _MOST_BYTES:
        return content
    # At a newline, and with some of its end: the last lines count for much.
    head = content[: _MOST_BYTES * 3 // 4].rpartition(b"\n")[0]
    tail = content[-_MOST_BYTES // 4 :].partition(b"\n")[2]
    return head + b"\n" + tail
