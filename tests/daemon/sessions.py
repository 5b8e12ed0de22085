"""Sessions that a real release holds; what it tells of them is expected in the database."""

import json
from pathlib import Path
from typing import Any

from tests.daemon.witness import Witness
from tests.oracle.app_server import AppServer
from tests.oracle.driver import CodexHome


class Served:
    """Threads of one running app-server, that work in `cwd`."""

    def __init__(self, server: AppServer, cwd: Path, witness: Witness) -> None:
        self._server = server
        self._cwd = cwd
        self._witness = witness

    def start(self, words: str, **params: Any) -> str:
        """A new thread with a first turn."""
        return self._begin("thread/start", words, cwd=str(self._cwd), **params)

    def fork(self, thread_id: str, words: str) -> str:
        """A fork of a thread, with a turn of its own."""
        return self._begin("thread/fork", words, threadId=thread_id)

    def resume(self, thread_id: str, words: str) -> None:
        """Go on with a thread that is not loaded in this server."""
        self._begin("thread/resume", words, threadId=thread_id)

    def _begin(self, method: str, words: str, **params: Any) -> str:
        config = {"sandbox_mode": "read-only"}
        answer = self._server.request(method, config=config, **params)
        thread_id = str(answer["thread"]["id"])
        self.turn(thread_id, words)
        return thread_id

    def turn(self, thread_id: str, words: str) -> str:
        """The user says something and the agent answers; gives the turn's id."""
        turn_id = self._server.turn(thread_id, words)
        self._expect_tokens(thread_id)
        return turn_id

    def compact(self, thread_id: str) -> None:
        """Have the context summarised."""
        self._server.compact(thread_id)
        self._expect_tokens(thread_id)

    def _expect_tokens(self, thread_id: str) -> None:
        told = self._server.told("thread/tokenUsage/updated", threadId=thread_id)
        tokens = told[-1]["tokenUsage"]["total"]["totalTokens"]
        self._witness.expect(thread_id, tokens_used=tokens, archived=0)

    def rename(self, thread_id: str, name: str) -> None:
        """Give a thread a name."""
        self.ask("thread/name/set", thread_id, name=name)
        self._witness.expect(thread_id, name=name)

    def archive(self, thread_id: str) -> None:
        """Archive a thread."""
        self.ask("thread/archive", thread_id)
        self._witness.expect(thread_id, archived=1)

    def unarchive(self, thread_id: str) -> None:
        """Take a thread out of the archive."""
        self.ask("thread/unarchive", thread_id)
        self._witness.expect(thread_id, archived=0)

    def delete(self, thread_id: str) -> None:
        """Delete a thread for good."""
        self._witness.let_go(thread_id)
        self.ask("thread/delete", thread_id)
        self._witness.expect_gone(thread_id)

    def roll_back(self, thread_id: str) -> None:
        """Its last turn is taken back."""
        self._server.roll_back(thread_id)

    def ask(self, method: str, thread_id: str, **params: Any) -> None:
        """Anything else that can be asked about a thread."""
        self._server.request(method, threadId=thread_id, **params)


def execute(
    codex: CodexHome, witness: Witness, words: str, cwd: Path, thread_id: str | None = None
) -> str:
    """`codex exec`, or `codex exec resume` of a thread; gives the thread's id."""
    if thread_id is None:
        printed = codex.exec(words, "--json", cwd=cwd)
    else:
        printed = codex.resume(words, "--json", cwd=cwd, thread_id=thread_id)
    events = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    (started,) = (event for event in events if event["type"] == "thread.started")
    (ended,) = (event for event in events if event["type"] == "turn.completed")
    tokens = ended["usage"]["input_tokens"] + ended["usage"]["output_tokens"]
    found = str(started["thread_id"])
    witness.expect(found, tokens_used=tokens, archived=0)
    return found
