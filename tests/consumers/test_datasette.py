"""Datasette serves the file, to people and to programs, while a daemon writes it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode

import pytest

from tests.consumers.packages import MissingConsumerError, python_packages
from tests.daemon.living import append, living
from tests.oracle.cases_build import meta, tokens, user
from tests.required import lack
from tests.running import Place, thread_id, wait_until, watermark

_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as sought:
        sought.bind(("127.0.0.1", 0))
        return int(sought.getsockname()[1])


@contextmanager
def serving(database: Path) -> Iterator[str]:
    """The address of a datasette on this database."""
    try:
        packages = python_packages()
    except MissingConsumerError as missing:
        lack(str(missing))
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "datasette", "serve", str(database), "--port", str(port)]
    with subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(packages)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until(lambda: process.poll() is not None or answers(address), "it serves")
            yield address
        finally:
            process.kill()


def answers(address: str) -> bool:
    try:
        return bool(get(address))
    except (URLError, ConnectionError):
        return False


def get(address: str) -> str:
    with _NO_PROXY.open(address, timeout=10) as response:
        assert response.status == 200
        return str(response.read().decode())


def ask(address: str, query: str) -> list[dict[str, object]]:
    """The answer of datasette's JSON interface."""
    rows = json.loads(get(f"{address}/state.json?{urlencode({'sql': query, '_shape': 'array'})}"))
    assert isinstance(rows, list)
    return rows


@pytest.mark.timeout(900)  # the first run installs
def test_datasette(tmp_path: Path) -> None:
    place = Place.make(tmp_path)
    for number in range(30):
        place.thread(number, meta(cwd="/home/ada/project"), user(f"prompt {number}"), tokens(1))
    place.index()
    with living(place), serving(place.database) as address:
        page = get(f"{address}/state/threads?_sort_desc=updated_at_ms")
        assert "prompt 7" in page
        assert "/home/ada/project" in page
        assert "thread_spawn_edges" in get(f"{address}/state")
        counted = "SELECT count(*) FROM threads"
        question = f"SELECT tokens_used, ({counted}) AS threads FROM threads WHERE id = '{{}}'"
        for turn in range(2, 12):
            append(place.home / watermark(7), tokens(turn))
            place.thread(100 + turn)
            expected = [{"tokens_used": turn, "threads": 29 + turn}]
            asked = partial(ask, address, question.format(thread_id(7)))
            wait_until(lambda: asked() == expected, "datasette shows what was written")  # noqa: B023
        assert get(f"{address}/state/threads/{thread_id(105)}.json?_shape=array")
