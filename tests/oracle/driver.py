"""A Codex home that a real release writes to, talking to the mock."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .app_server import AppServer, CodexFailedError, app_server, clean_environment
from .mock_responses import MockResponses
from .releases import release

COMMAND_SECONDS = 60
DAYS_UNTIL_COLD = 30
"""Age at which 0.169.0 certainly takes a rollout for cold, and compresses it."""

_CONFIG = """\
model = "mock-model"
model_provider = "mock"
check_for_update_on_startup = false

[analytics]
enabled = false

[otel]
exporter = "none"

[features]
apps = false
collab = true
enable_request_compression = false
goals = true
plugins = false

[model_providers.mock]
name = "mock"
base_url = "{base_url}"
wire_api = "responses"
env_key = "MOCK_API_KEY"
request_max_retries = 1
stream_max_retries = 0
stream_idle_timeout_ms = 10000
"""


@dataclass(frozen=True)
class CodexHome:
    """A release, the home it writes to, and the model it talks to."""

    version: str
    binary: Path
    home: Path
    mock: MockResponses

    @property
    def environment(self) -> dict[str, str]:
        """Environment of every process of this release."""
        return clean_environment(self.home, self.mock.proxy_url, MOCK_API_KEY="unused")

    @property
    def rollouts(self) -> list[Path]:
        """Every rollout, plain or compressed, in the order of their watermarks."""
        found = [
            path
            for root in ("archived_sessions", "sessions")
            for path in (self.home / root).rglob("rollout-*.jsonl*")
        ]
        return sorted(found, key=lambda path: os.fsencode(path.relative_to(self.home)))

    def has(self, version: str) -> bool:
        """Whether this release is at least ``version``."""
        return _parts(self.version) >= _parts(version)

    def exec(
        self,
        prompt: str,
        *flags: str,
        cwd: Path,
        images: Sequence[Path] = (),
        sandbox: str | None = None,
    ) -> str:
        """``codex exec``: a new thread of one prompt. Gives what it printed.

        Args:
            prompt: What the user says.
            flags: More options of ``codex exec``.
            cwd: Where it runs; need not be a git repository.
            images: Files to attach.
            sandbox: ``--sandbox``; without, approvals and sandbox are bypassed.
        """
        attached = [part for image in images for part in ("--image", str(image))]
        permissions = ["--sandbox", sandbox] if sandbox else [_BYPASS]
        # The prompt comes through stdin: --image takes as many values as it can get.
        return self._exec([*permissions, *flags, *attached, "-"], prompt, cwd)

    def resume(self, prompt: str, *flags: str, cwd: Path, thread_id: str | None = None) -> str:
        """``codex exec resume``: one more prompt in a thread, the latest unless named.

        0.20.0 cannot; see ``has("0.36.0")``.
        """
        which = [thread_id, "-"] if thread_id else ["--last"]
        return self._exec([_BYPASS, *flags, "resume", *which], prompt, cwd)

    def _exec(self, arguments: Sequence[str], prompt: str, cwd: Path) -> str:
        return self.run("exec", "--skip-git-repo-check", *arguments, cwd=cwd, stdin=prompt)

    def run(self, *arguments: str, cwd: Path, stdin: str = "") -> str:
        """Run the release to its end and give what it printed.

        Raises:
            CodexFailedError: it exits with an error, or not in time.
        """
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as printed:
            given.write(stdin.encode())
            given.seek(0)
            with subprocess.Popen(
                [self.binary, *arguments],
                env=self.environment,
                cwd=cwd,
                stdin=given,
                stdout=printed,
                stderr=subprocess.STDOUT,
            ) as process:
                try:
                    status: int | str = process.wait(COMMAND_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    status = f"nothing within {COMMAND_SECONDS} s"
            printed.seek(0)
            output = printed.read().decode(errors="replace")
        if status != 0:
            command = " ".join(arguments)
            raise CodexFailedError(f"{self.version} {command}: {status}\n{output[-2000:]}")
        return output

    @contextmanager
    def app_server(self, *flags: str, timeout: float = COMMAND_SECONDS) -> Iterator[AppServer]:
        """An app-server on this home, for as long as the block lasts."""
        with app_server(self.binary, self.environment, flags, timeout) as server:
            yield server

    def compress(self, paths: Sequence[Path] | None = None) -> None:
        """Make these rollouts cold, or all, and wait until the release has compressed them."""
        cold = time.time() - DAYS_UNTIL_COLD * 86400
        paths = self.rollouts if paths is None else paths
        for path in paths:
            os.utime(path, (cold, cold))
        with self.app_server("--enable", "local_thread_store_compression"):
            deadline = time.monotonic() + COMMAND_SECONDS
            while any(path.suffix == ".jsonl" and path.exists() for path in paths):
                if time.monotonic() > deadline:
                    raise CodexFailedError(f"{self.version} left rollouts uncompressed")
                time.sleep(0.02)

    def migrate(self, *thread_ids: str) -> None:
        """``codex migrate-rollouts --apply``: rewrite rollouts as paginated ones, in place.

        Those of these threads, or all. A rollout of 0.169.0 is one already; one of 0.20.0 cannot
        be, and fails the command.
        """
        which = [part for thread_id in thread_ids for part in ("--thread", thread_id)]
        self.run("migrate-rollouts", "--apply", *which, cwd=self.home)


_BYPASS = "--dangerously-bypass-approvals-and-sandbox"


def codex_home(version: str, home: Path, mock: MockResponses) -> CodexHome:
    """Make a home whose only model is the mock.

    Raises:
        releases.ReleaseUnavailableError: the release cannot be installed.
    """
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(_CONFIG.format(base_url=mock.base_url))
    return CodexHome(version, release(version), home, mock)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
