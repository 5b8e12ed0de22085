"""Users of Codex, each with one release, who hold sessions in the same home at once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.daemon.sessions import Served, execute
from tests.daemon.witness import Witness
from tests.oracle.driver import CodexHome
from tests.oracle.homes import TOOLS
from tests.running import wait_for_another_second

NAME = "a good name"


@dataclass
class User:
    """Works with one release: in its app-server `served`, and by `codex exec` beside it.

    Attributes:
        threads: ids of the threads that were begun, by what they are for.
    """

    codex: CodexHome
    cwd: Path
    witness: Witness
    served: Served
    threads: dict[str, str] = field(default_factory=dict)

    def serve(self) -> None:
        """Threads of many kinds in the app-server."""
        served = self.served
        main = self.start("main")
        served.turn(main, "second words")
        served.rename(main, NAME)
        self.threads["fork"] = served.fork(main, "in the fork")
        kept = self.start("kept")
        served.archive(kept)
        served.unarchive(kept)
        served.resume(kept, "more words")
        served.turn(main, "spawn")
        if self.codex.has("0.130.0"):
            self.start("tools", dynamicTools=TOOLS)
        if self.codex.has("0.169.0"):
            page = self.start("page", historyMode="paginated")
            served.turn(page, "!echo page")

    def execute(self) -> None:
        """A thread by `codex exec`, and its resumption by another process."""
        self.exec("exec")
        self.exec("exec", "!echo hi")

    def serve_on(self) -> None:
        """What was begun goes on, and to the archive."""
        served = self.served
        served.turn(self.threads["main"], "more words")
        served.archive(self.threads["fork"])
        late = self.start("late")
        served.archive(late)
        served.unarchive(late)
        served.archive(late)

    def execute_on(self) -> None:
        """The same by `codex exec`."""
        self.exec("exec late")
        self.exec("exec", "more words")

    def serve_last(self) -> None:
        """A context is summarised, a turn taken back."""
        served = self.served
        compacted = self.start("compacted")
        served.compact(compacted)
        served.turn(compacted, "after compaction")
        main = self.threads["main"]
        last = served.turn(main, "to be taken back")
        if self.codex.has("0.169.0"):
            wait_for_another_second()
            served.ask("thread/revert", main, beforeTurnId=last)
        else:
            served.roll_back(main)
        served.turn(main, "other words")

    def start(self, role: str, **params: Any) -> str:
        """A thread in the app-server."""
        thread_id = self.served.start(self._first_words(role), **params)
        self.threads[role] = thread_id
        return thread_id

    def exec(self, role: str, words: str | None = None) -> None:
        """A thread by `codex exec`, or more words to it."""
        words = words or self._first_words(role)
        thread_id = self.threads.get(role)
        self.threads[role] = execute(self.codex, self.witness, words, self.cwd, thread_id)

    def _first_words(self, role: str) -> str:
        return f"{self.codex.version} {role}"
