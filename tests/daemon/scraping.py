"""Asking the endpoint of a real daemon."""

import os
import re
import shutil
import subprocess
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.daemon.living import Daemon
from tests.metrics.samples import Samples, samples_of
from tests.running import BOUND_SECONDS


class Response(NamedTuple):
    """What came back."""

    status: int
    text: str


def ask(daemon: Daemon, target: str, **headers: str) -> Response:
    """One request to wherever the daemon says that it listens."""
    state = daemon.state
    assert state is not None
    assert state.metrics is not None
    place = urlsplit(state.metrics)
    assert place.hostname is not None
    connection = HTTPConnection(place.hostname, place.port, timeout=BOUND_SECONDS)
    try:
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        return Response(response.status, response.read().decode())
    finally:
        connection.close()


def scrape(daemon: Daemon) -> Samples:
    """All of its samples."""
    response = ask(daemon, "/metrics")
    assert response.status == 200, response
    return samples_of(response.text)


def promtool(*arguments: str, text: str) -> "subprocess.CompletedProcess[str]":
    """What promtool, of Prometheus, says of a text; skips where there is none, but not in CI."""
    if shutil.which("promtool") is None and "CI" not in os.environ:
        pytest.skip("there is no promtool: it comes with Debian's package prometheus")
    return subprocess.run(
        ["promtool", *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=BOUND_SECONDS,
        check=False,
    )


def sockets_listening(pid: int) -> set[str]:
    """Inodes of the sockets that a process listens on, of TCP over IPv4 and IPv6."""
    listening = {
        fields[9]
        for name in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:])
        if fields[3] == "0A"
    }
    links = (each.readlink() for each in Path(f"/proc/{pid}/fd").iterdir())
    found = (re.fullmatch(r"socket:\[(\d+)\]", str(link)) for link in links)
    return {match[1] for match in found if match} & listening
