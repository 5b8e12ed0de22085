"""A Prometheus of our own: its data in a folder, its port on loopback, ended by its pid."""

import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.running import wait_until

_ANSWER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One that runs."""

    url: str

    def get(self, path: str, **parameters: object) -> Any:
        """What its API answers; fails with its words if that is an error."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(
                f"{self.url}/api/v1/{path}?{query}", timeout=_ANSWER_SECONDS
            ) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            pytest.fail(f"{path} {parameters}: {error.read().decode()}")

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """The samples of an instant query, now."""
        result = self.get("query", query=expr)["result"]
        assert isinstance(result, list)
        return result

    def series(self, expr: str, since: float, until: float, step: float) -> list[dict[str, Any]]:
        """The series of a range query; times in seconds."""
        result = self.get("query_range", query=expr, start=since, end=until, step=step)["result"]
        assert isinstance(result, list)
        return result

    def firing(self) -> dict[str, dict[str, Any]]:
        """The alerts that fire now, by name; each fires for one thing at most."""
        found = [each for each in self.get("alerts")["alerts"] if each["state"] == "firing"]
        named = {each["labels"]["alertname"]: each for each in found}
        assert len(named) == len(found), found
        return named

    def is_up(self) -> bool:
        """Whether its one target is known, and was scraped."""
        return [each["health"] for each in self.get("targets")["activeTargets"]] == ["up"]


@contextmanager
def prometheus(configuration: Path, folder: Path) -> Iterator[Prometheus]:
    """Runs one with this configuration; it does not outlive the `with`."""
    log = folder / "prometheus.log"
    port = _free_port()
    command = [
        "prometheus",
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}"

            def is_ready() -> bool:
                assert process.poll() is None, log.read_text()
                try:
                    with urllib.request.urlopen(f"{url}/-/ready", timeout=_ANSWER_SECONDS):
                        return True
                except OSError:
                    return False

            wait_until(is_ready, "Prometheus is ready")
            yield Prometheus(url)
        finally:
            process.kill()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert isinstance(port, int)
        return port


def promtool(*arguments: str) -> str:
    """Run `promtool`, which must succeed; returns what it said."""
    done = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need_prometheus() -> None:
    """Skip, saying why, where it is not installed; never in CI."""
    missing = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
    if missing:
        reason = f"no {' and no '.join(missing)} here: install Debian's package prometheus"
        if "CI" in os.environ:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
