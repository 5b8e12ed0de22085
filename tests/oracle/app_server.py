"""``codex app-server``: a client for its line-delimited JSON-RPC, every wait bounded."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any

Message = dict[str, Any]

NOWHERE = "http://127.0.0.1:9"
"""A proxy that does not exist: what is not on the loopback cannot be reached."""

_PAUSE_SECONDS = 0.05


class CodexFailedError(Exception):
    """A Codex process answered with an error, died, or was too slow."""


def clean_environment(home: Path, proxy: str = NOWHERE, **extra: str) -> dict[str, str]:
    """The whole environment of a Codex process: its home, a shell, and no way to the network.

    0.130.0 and later ask three outside hosts for plugins and news on every start. The proxy makes
    that fail at once, for Codex itself and for the git that it runs.
    """
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "CODEX_HOME": str(home),
        "HTTP_PROXY": proxy,
        "HTTPS_PROXY": proxy,
        "http_proxy": proxy,
        "https_proxy": proxy,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LANG": "C.UTF-8",
        **extra,
    }


class AppServer:
    """One running app-server, initialised. Made by ``app_server``, which also ends it."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes], timeout: float) -> None:
        self._stdin = stdin
        self._timeout = timeout
        self._last_id = 0
        self._pending: list[Message] = []
        self._incoming: Queue[Message | None] = Queue()
        self._reader = Thread(target=self._read, args=(stdout,), daemon=True, name="app-server")
        self._reader.start()

    def initialize(self) -> None:
        """Shake hands; a release that keeps a database answers when its backfill is done."""
        client = {"name": "rolloutd-tests", "title": "rolloutd tests", "version": "0"}
        capabilities = {"experimentalApi": True}
        self.request("initialize", clientInfo=client, capabilities=capabilities)
        self._send({"method": "initialized"})

    def close(self) -> None:
        """Hang up: an app-server ends by itself then."""
        with suppress(BrokenPipeError):
            self._stdin.close()

    def request(self, method: str, **params: Any) -> Message:
        """Ask and wait for the answer.

        Raises:
            CodexFailedError: the answer is an error, or does not come.
        """
        self._pending.clear()
        self._last_id += 1
        wanted = self._last_id
        self._send({"id": wanted, "method": method, "params": params})
        answer = self._take(method, lambda m: m.get("id") == wanted and "method" not in m)
        if "error" in answer:
            raise CodexFailedError(f"{method}: {answer['error']}")
        result = answer.get("result")
        return result if isinstance(result, dict) else {}

    def wait_for(self, method: str, **params: Any) -> Message:
        """Wait for a notification with these parameters, sent since the last request."""
        found = self._take(
            method,
            lambda m: m.get("method") == method and params.items() <= m["params"].items(),
        )
        notified: Message = found["params"]
        return notified

    def told(self, method: str, **params: Any) -> list[Message]:
        """What notifications with these parameters said, since the last request."""
        return [
            message["params"]
            for message in self._pending
            if message.get("method") == method and params.items() <= message["params"].items()
        ]

    def turn(self, thread_id: str, prompt: str, **params: Any) -> str:
        """Let the user say something, wait until the agent is done with it; give the turn's id."""
        text = {"type": "text", "text": prompt}
        answer = self.request("turn/start", threadId=thread_id, input=[text], **params)
        turn_id = str(answer["turn"]["id"])
        self._take(f"end of turn {turn_id}", lambda message: _ends(message, turn_id))
        return turn_id

    def roll_back(self, thread_id: str) -> None:
        """Take the last turn back.

        Codex tells that a turn has ended a moment before it takes it for over itself.
        """
        self._request_again(
            "a turn is in progress", "thread/rollback", threadId=thread_id, numTurns=1
        )

    def archive(self, thread_id: str) -> None:
        """Archive a thread.

        Releases that write a rollout beside the turn may tell of the turn's end before its first
        line is on the disk.
        """
        self._request_again("no rollout found", "thread/archive", threadId=thread_id)

    def _request_again(self, not_yet: str, method: str, **params: Any) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                self.request(method, **params)
            except CodexFailedError as error:
                if not_yet not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def compact(self, thread_id: str) -> None:
        """Have a thread's context summarised, and wait until that is done."""
        self.request("thread/compact/start", threadId=thread_id)
        item = self._take(
            "compaction",
            lambda message: (
                message.get("method") == "item/completed"
                and message["params"]["item"]["type"] == "contextCompaction"
            ),
        )
        turn_id = str(item["params"]["turnId"])
        self._take("end of compaction", lambda message: _ends(message, turn_id))

    def _take(self, what: str, wanted: Callable[[Message], bool]) -> Message:
        deadline = time.monotonic() + self._timeout
        for index, message in enumerate(self._pending):
            if wanted(message):
                return self._pending.pop(index)
        while True:
            try:
                message_or_end = self._incoming.get(timeout=max(0, deadline - time.monotonic()))
            except Empty:
                raise CodexFailedError(f"{what}: nothing within {self._timeout} s") from None
            if message_or_end is None:
                raise CodexFailedError(f"{what}: app-server has ended")
            if wanted(message_or_end):
                return message_or_end
            if "id" in message_or_end and "method" in message_or_end:
                self._answer(message_or_end)
            else:
                self._pending.append(message_or_end)

    def _answer(self, request: Message) -> None:
        """Say yes to whatever the server asks: approvals, and calls of a client's own tool."""
        if request["method"] == "item/tool/call":
            content = [{"type": "inputText", "text": "done"}]
            result: Message = {"success": True, "contentItems": content}
        else:
            result = {"decision": "accept"}
        self._send({"id": request["id"], "result": result})

    def _send(self, message: Message) -> None:
        try:
            self._stdin.write(json.dumps(message).encode() + b"\n")
            self._stdin.flush()
        except BrokenPipeError:
            raise CodexFailedError("app-server has ended") from None

    def _read(self, stdout: IO[bytes]) -> None:
        with stdout:
            for line in stdout:
                self._incoming.put(json.loads(line))
        self._incoming.put(None)

    def join(self) -> None:
        """Wait until everything that the ended server had said is read."""
        self._reader.join(self._timeout)


def _check(status: int) -> None:
    if status:
        raise CodexFailedError(f"app-server ended with {status}")


def _ends(message: Message, turn_id: str) -> bool:
    params = message.get("params", {})
    if message.get("method") == "codex/event/task_complete":  # all that 0.58.0 sends
        return bool(params["id"] == turn_id)
    return message.get("method") == "turn/completed" and bool(params["turn"]["id"] == turn_id)


@contextmanager
def app_server(
    binary: Path,
    env: Mapping[str, str],
    flags: Sequence[str] = (),
    timeout: float = 60,
) -> Iterator[AppServer]:
    """Start an app-server, initialise it, and see it end with the block.

    Args:
        binary: A release, from ``releases.release``.
        env: Its whole environment, from ``clean_environment``.
        flags: Options that go before ``app-server``.
        timeout: Seconds that any single wait may take, the start with its backfill included.

    Raises:
        CodexFailedError: it does not answer in time, or ends with an error. The message ends with
            what it had logged.
    """
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [binary, *flags, "app-server"],
            env=dict(env),
            cwd=env["CODEX_HOME"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        server = AppServer(process.stdin, process.stdout, timeout)
        try:
            server.initialize()
            yield server
            server.close()
            _check(process.wait(timeout))
        except (CodexFailedError, subprocess.TimeoutExpired) as error:
            log.seek(0)
            logged = log.read()[-2000:].decode(errors="replace")
            raise CodexFailedError(f"{error}\n{logged}") from error
        finally:
            process.kill()
            process.wait()
            server.close()
            server.join()
