"""What happens to one daemon under the eyes of a Prometheus: quiet days, work, trouble, the end.

Two minutes are a second here: the rules are shipped ones with every time shortened alike.
"""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import zstandard

from tests.daemon.living import Daemon, append, living
from tests.metrics.test_readme import FREE, Row
from tests.oracle.cases_build import meta, raw, tokens, turn, user
from tests.running import BOUND_SECONDS, Place, wait_until, watermark
from tests.system.prometheus.server import Prometheus, prometheus
from tests.system.prometheus.shipped import Query, queries, sooner

FACTOR = 120
SCRAPE_SECONDS = 0.25
THREADS = 40
ARCHIVED = 5
LAG = "instance:rolloutd_index_lag_seconds:p50_rate10m"

_LOOK_SECONDS = 0.2
# A user namespace has limits of its own, within those of the system.
_NAMESPACE = ("unshare", "--user", "--map-root-user")


@dataclass(frozen=True, slots=True)
class Story:
    """What was seen, chapter by chapter.

    Attributes:
        began: when, epoch seconds; `stopped` is when the daemon was.
        targets: what Prometheus says of its target, while the daemon lived.
        metrics: what it knows of each of rolloutd's own, in the README's terms, likewise.
        rules: Prometheus' own word on each rule.
        quiet, troubled, down: the alerts that fired while all was well, after a file was made
            unindexable and the watch broken, and after the daemon was stopped.
    """

    prometheus: Prometheus
    instance: str
    began: float
    stopped: float
    targets: list[dict[str, Any]]
    metrics: dict[str, Row]
    rules: list[dict[str, Any]]
    quiet: dict[str, dict[str, Any]]
    troubled: dict[str, dict[str, Any]]
    down: dict[str, dict[str, Any]]

    def asked(self, query: Query) -> list[dict[str, Any]]:
        """What the daemon's life shows, asked as the dashboard does."""
        return self.prometheus.series(query.expr, self.began, self.stopped, SCRAPE_SECONDS)

    def queries(self) -> list[Query]:
        """The dashboard's, as Grafana would send them."""
        return queries(
            instance=self.instance,
            __rate_interval=f"{4 * SCRAPE_SECONDS * 1000:.0f}ms",
            __range=f"{self.stopped - self.began:.0f}s",
        )


@contextmanager
def told(folder: Path) -> Iterator[Story]:
    """Plays the story; Prometheus lives, and can be asked about it, until the `with` ends."""
    place = Place.make(folder)
    _write_home(place)
    began = time.time()
    with living(place, prefix=_NAMESPACE) as daemon:
        instance = _address(daemon)
        configuration = sooner(FACTOR, instance, folder / "rules")
        with prometheus(configuration, folder) as server:
            wait_until(server.is_up, "the target is up", pause=_LOOK_SECONDS)
            _work_until(place, lambda: server.ask(f"{LAG} >= 0"))
            quiet = server.firing()
            _make_unindexable(place, THREADS + 1)
            _take_watches(daemon)
            troubled = _flap_until(
                place, server, {"RolloutdFilesUnindexable", "RolloutdWatcherDegraded"}
            )
            targets = server.get("targets")["activeTargets"]
            metrics = _metrics(server)
            rules = [rule for group in server.get("rules")["groups"] for rule in group["rules"]]
            stopped = time.time()
            daemon.process.terminate()
            daemon.process.wait(BOUND_SECONDS)
            wait_until(
                lambda: server.firing().keys() == {"RolloutdDown"},
                "only that it is down is told",
                pause=_LOOK_SECONDS,
            )
            yield Story(
                server,
                instance,
                began,
                stopped,
                targets,
                metrics,
                rules,
                quiet,
                troubled,
                server.firing(),
            )


def need_namespaces() -> None:
    """Skip, saying why, where there are no user namespaces; never in CI."""
    done = subprocess.run([*_NAMESPACE, "true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = f"no user namespace, whose watches could be taken away: {done.stderr.strip()}"
        if "CI" in os.environ:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def _write_home(place: Place) -> None:
    """Threads of every sort that the dashboard tells apart."""
    for number in range(THREADS):
        lines = [meta(), turn(model=f"model-{number % 4}"), user(f"prompt {number}")]
        if number % 5 == 1:
            lines[0] = meta(source={"subagent": "review"})
        if number % 7 == 2:
            lines.append(raw("{this is no line"))
        path = watermark(number, root="archived_sessions") if number < ARCHIVED else None
        file = place.thread(number, *lines, tokens(1000 + number), path=path)
        if number % 10 == 4:
            packed = zstandard.ZstdCompressor().compress(file.read_bytes())
            file.with_suffix(".jsonl.zst").write_bytes(packed)
            file.unlink()
    _make_unindexable(place, THREADS)


def _make_unindexable(place: Place, number: int) -> None:
    place.thread(number, b"\0" * 4096)


def _address(daemon: Daemon) -> str:
    state = daemon.state
    assert state is not None
    assert state.metrics is not None
    return state.metrics.removeprefix("http://").split("/")[0]


def _metrics(server: Prometheus) -> dict[str, Row]:
    labels: dict[str, dict[str, set[str]]] = {}
    for each in server.get("series", **{"match[]": '{__name__=~"rolloutd_.+"}'}):
        of = labels.setdefault(each.pop("__name__"), {})
        for name, value in each.items():
            if name not in {"job", "instance", "le"}:
                of.setdefault(name, set()).update([] if name in FREE else [value])
    found = {}
    for each in server.get("targets/metadata"):
        name, kind = each["metric"], each["type"]
        if name.startswith("rolloutd_"):
            sample = {"counter": f"{name}_total", "histogram": f"{name}_count"}.get(kind, name)
            of = labels[sample]
            family = sample if kind == "counter" else name
            values = {label: tuple(sorted(of[label])) for label in of}
            found[family] = Row(kind, values, each["help"].removesuffix("."))
    return found


def _work_until(place: Place, condition: Callable[[], object]) -> None:
    """Write as Codex does, until the condition holds."""
    written = iter(range(10_000))

    def write_and_ask() -> object:
        number = next(written)
        append(place.home / watermark(ARCHIVED), tokens(2000 + number), user(f"more {number}"))
        return condition()

    wait_until(write_and_ask, "the work shows", pause=_LOOK_SECONDS)


def _take_watches(daemon: Daemon) -> None:
    """From now on, no watch can be armed: the daemon may have no more inotify instances."""
    subprocess.run(
        [
            "nsenter",
            "--user",
            "--preserve-credentials",
            f"--target={daemon.process.pid}",
            "sh",
            "-c",
            "echo 0 > /proc/sys/user/max_inotify_instances",
        ],
        check=True,
    )


def _flap_until(place: Place, server: Prometheus, alerts: set[str]) -> dict[str, dict[str, Any]]:
    """A root goes and comes, so that the watch is armed anew, in vain, until these alerts fire.

    Out of its own it would be tried once in five minutes, which are not shorter here.
    """
    root, away = place.home / "archived_sessions", place.root / "away"

    def flap_and_ask() -> bool:
        if root.exists():
            root.rename(away)
        else:
            away.rename(root)
        return server.firing().keys() >= alerts

    wait_until(flap_and_ask, f"{alerts} fire", 60, pause=5 * _LOOK_SECONDS)
    return server.firing()
