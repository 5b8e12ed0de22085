"""A writer that plays a few live sessions into a Codex home, line by line as Codex would."""

import json
import random
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_PROMPTS = (
    ("/home/ada/shop", "main", "The checkout test fails on CI but not here, find out why"),
    ("/home/ada/shop", "prices", "Add a currency column to the price list, with a migration"),
    ("/home/ada/notes", "main", "Explain how the sync protocol resolves conflicts"),
    ("/home/ada/parser", "fuzz", "Write property tests for the tokenizer"),
    ("/home/ada/infra", "main", "Why does the backup job take four hours since Monday?"),
    ("/home/ada/infra", "dns", "Move the zone files to the new provider, dry run first"),
)
_MODELS = ("gpt-5-codex", "gpt-5", "gpt-5.1-codex-mini")
_PAUSE_SECONDS = (0.05, 0.6)
_TURNS = (3, 12)


class Session:
    """One rollout that grows."""

    def __init__(self, home: Path, prompt: tuple[str, str, str], chance: random.Random) -> None:
        cwd, branch, self._text = prompt
        self._chance = chance
        self._tokens = 0
        self._turns = chance.randint(*_TURNS)
        now = datetime.now(UTC)
        thread_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        folder = home / "sessions" / now.strftime("%Y/%m/%d")
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"rollout-{now:%Y-%m-%dT%H-%M-%S}-{thread_id}.jsonl"
        self._write(
            "session_meta",
            id=thread_id,
            timestamp=_stamp(now),
            cwd=cwd,
            originator="codex_cli_rs",
            cli_version="0.130.0",
            source="cli",
            git={"branch": branch, "commit_hash": f"{chance.getrandbits(160):040x}"},
        )
        self._write(
            "turn_context",
            cwd=cwd,
            approval_policy="on-request",
            sandbox_policy={"type": "workspace-write"},
            model=chance.choice(_MODELS),
            effort="medium",
            summary="auto",
        )
        self._write("event_msg", type="user_message", message=self._text, images=[])

    def play(self) -> bool:
        """One turn of the agent; false once it is done."""
        self._turns -= 1
        self._tokens += self._chance.randint(300, 9000)
        message = {"type": "output_text", "text": "Looking at it. " * self._chance.randint(1, 30)}
        self._write("response_item", type="message", role="assistant", content=[message])
        usage = {
            "input_tokens": self._tokens,
            "cached_input_tokens": 0,
            "output_tokens": 0,
            "reasoning_output_tokens": 0,
            "total_tokens": self._tokens,
        }
        info = {"total_token_usage": usage, "last_token_usage": usage}
        self._write("event_msg", type="token_count", info=info)
        return self._turns > 0

    def _write(self, kind: str, **payload: Any) -> None:
        line = {"timestamp": _stamp(datetime.now(UTC)), "type": kind, "payload": payload}
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def play(home: Path, stopped: threading.Event, seed: int) -> None:
    """Several sessions at once, until stopped; of those that are done, some are archived."""
    chance = random.Random(seed)
    sessions: list[Session] = []
    while not stopped.wait(chance.uniform(*_PAUSE_SECONDS)):
        if not sessions or (len(sessions) < 4 and chance.random() < 0.2):
            sessions.append(Session(home, chance.choice(_PROMPTS), chance))
        session = chance.choice(sessions)
        if not session.play():
            sessions.remove(session)
            if chance.random() < 0.3:
                archive = home / "archived_sessions"
                archive.mkdir(exist_ok=True)
                session.path.rename(archive / session.path.name)


def _stamp(when: datetime) -> str:
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age_of(milliseconds: int) -> str:
    """How long ago, for people."""
    return f"{max(0.0, time.time() - milliseconds / 1000):.1f} s"
