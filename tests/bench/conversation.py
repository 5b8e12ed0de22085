"""Conversations in the manner of Codex 0.130.0: its lines, in its order, of sizes met in real life.

Lines are taken from pools that are encoded once, so that gigabytes are a matter of copying; what a
reader of metadata looks at (ids, times, prompts, totals of tokens) is made for each conversation.
"""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Iterator
from itertools import cycle, islice
from typing import BinaryIO

from .lines import STAMP, Tail, event, item, message, record, stamped, token_count, turn_context

SPOKEN = "the test that fails when a file is empty and why does it take so long to start"
PRINTED = (
    "def return self.path 0.25s PASSED -rw-r--r-- /usr/lib/python3 import \"utf-8\" {'key': None},"
    " src/main.rs:42: error[E0308]: \t\t\\n=> \x1b[32mok\x1b[0m naïve → 127.0.0.1 if (x < y) 8192"
)
INSTRUCTIONS = 20_600
"""Characters of base instructions in a session_meta."""
PERMISSIONS = 4_900
"""Characters of the developer message about permissions and skills."""
TURN_STEPS = 12
"""Calls of a tool in a turn, on average."""
COMMENTED, LARGE, COMPACTED = 0.2, 0.002, 0.001
"""Of the calls of a tool, the part that is announced, has a large output, fills the context."""
LINE_MS = 2_000
"""Milliseconds between two lines, on average."""
SMALL = 1_000
"""A conversation ends when not even a line of so many bytes fits into its size any more."""


class Conversations:
    """Writes conversations; all they have in common is made in the constructor, from `rng`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._spoken = _text(rng, SPOKEN, 100_000)
        self._printed = _text(rng, PRINTED, 4_000_000)
        self._gaps = [round(rng.expovariate(1 / LINE_MS)) for _ in range(1_009)]
        self._reasoning = [self._reasons(self._size(1_400, 0.7, 30_000)) for _ in range(1_000)]
        self._calls = [self._called(self._size(3_200, 1.4, 44_000)) for _ in range(2_000)]
        self._large = [self._called(self._size(500_000, 0.7, 2_000_000)) for _ in range(12)]
        self._said = [self._says("commentary", 40, 900) for _ in range(300)]
        self._answers = [self._says("final_answer", 300, 5_000) for _ in range(300)]
        self._compacted = [self._compaction(rng.randrange(20, 60)) for _ in range(12)]

    def write(self, file: BinaryIO, uuid: str, created: int, size: int) -> int:
        """Write a conversation of about `size` bytes, begun at `created`; return when it ended.

        Times are milliseconds of Unix time.
        """
        now = created
        stamp, stamp_of = b"", -1
        for (required, tail), gap in zip(
            self._lines(uuid, created, size), cycle(self._gaps), strict=False
        ):
            length = STAMP + len(tail)
            if length > size and not required:
                if length < SMALL:
                    break
                continue
            size -= length
            now += gap
            if now // 1000 != stamp_of:
                stamp_of = now // 1000
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamp_of)).encode()
            file.write(stamped(stamp, now % 1000, tail))
        return now

    def _lines(self, uuid: str, created: int, size: int) -> Iterator[tuple[bool, Tail]]:
        """Yield the lines of an endless conversation, each with whether it has to be there."""
        rng = self._rng
        cwd = f"/home/dev/projects/service-{rng.randrange(40)}"
        yield True, self._session_meta(uuid, created, cwd, min(INSTRUCTIONS, size // 4))
        permissions = self._spoken[: min(PERMISSIONS, size // 8)]
        yield True, item("message", **message("developer", permissions))
        context = f"<environment_context>\n  <cwd>{cwd}</cwd>\n  <shell>bash</shell>\n"
        rules = f"# AGENTS.md instructions for {cwd}\n"
        yield True, item("message", **message("user", rules, context))
        effort = rng.choice(["low", "medium", "medium", "high", "xhigh"])
        tokens = 0
        required = True
        while True:
            turn = f"{uuid[:24]}{rng.getrandbits(48):012x}"
            prompt = self._words(20, 600)
            yield required, event("task_started", turn_id=turn, model_context_window=258_400)
            yield required, turn_context(turn, cwd, effort)
            yield required, item("message", **message("user", prompt))
            yield required, event("user_message", message=prompt, images=[], text_elements=[])
            required = False
            while rng.random() > 1 / TURN_STEPS:
                tokens += rng.randrange(2_000, 90_000)
                for tail in self._step(tokens):
                    yield False, tail
            for tail in (*rng.choice(self._answers), token_count(tokens)):
                yield False, tail
            yield False, event("task_complete", turn_id=turn, duration_ms=rng.randrange(900_000))

    def _step(self, tokens: int) -> Iterator[Tail]:
        rng = self._rng
        yield from rng.choice(self._reasoning)
        if rng.random() < COMMENTED:
            yield from rng.choice(self._said)
        call, output = rng.choice(self._large if rng.random() < LARGE else self._calls)
        yield call
        yield token_count(tokens)
        yield output
        if rng.random() < COMPACTED:
            yield rng.choice(self._compacted)

    def _session_meta(self, uuid: str, created: int, cwd: str, instructions: int) -> Tail:
        rng = self._rng
        second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(created // 1000))
        meta = {
            "id": uuid,
            "timestamp": f"{second}.{created % 1000:03d}Z",
            "cwd": cwd,
            "originator": "codex-tui",
            "cli_version": "0.130.0",
            "source": rng.choice(["cli", "cli", "cli", "vscode", "exec"]),
            "model_provider": "openai",
            "base_instructions": {"text": self._spoken[:instructions]},
            "git": {
                "commit_hash": f"{rng.getrandbits(160):040x}",
                "branch": rng.choice(["main", "main", "next", "fix/start"]),
                "repository_url": f"https://github.com/dev/{cwd.rpartition('/')[2]}.git",
            },
        }
        return record("session_meta", meta)

    def _size(self, median: int, sigma: float, most: int) -> int:
        return min(most, round(median * self._rng.lognormvariate(0, sigma)))

    def _words(self, least: int, most: int) -> str:
        at = self._rng.randrange(len(self._spoken) - most)
        return self._spoken[at : at + self._rng.randrange(least, most)].strip()

    def _says(self, phase: str, least: int, most: int) -> tuple[Tail, ...]:
        text = self._words(least, most)
        content = [{"type": "output_text", "text": text}]
        said = item("message", role="assistant", content=content, phase=phase)
        return event("agent_message", message=text, phase=phase, memory_citation=None), said

    def _reasons(self, size: int) -> tuple[Tail, ...]:
        text = f"**{self._words(20, 60)}**"
        sealed = f"gAAAAAB{base64.urlsafe_b64encode(self._rng.randbytes(size)).decode()}"
        summary = [{"type": "summary_text", "text": text}]
        reasons = item("reasoning", summary=summary, content=None, encrypted_content=sealed)
        return event("agent_reasoning", text=text), reasons

    def _called(self, size: int) -> tuple[Tail, Tail]:
        call_id = f"call_{self._rng.getrandbits(96):024x}"
        arguments = json.dumps({"cmd": f"rg -n {self._words(20, 300)!r}", "workdir": "/home/dev"})
        call = item("function_call", name="exec_command", arguments=arguments, call_id=call_id)
        at = self._rng.randrange(len(self._printed) - size)
        head = f"Chunk ID: {call_id[-6:]}\nWall time: 0.0512 seconds\nProcess exited with code 0\n"
        text = f"{head}Original token count: {size // 4}\nOutput:\n{self._printed[at : at + size]}"
        return call, item("function_call_output", call_id=call_id, output=text)

    def _compaction(self, messages: int) -> Tail:
        said = [message("user", self._words(200, 6_000)) for _ in range(messages)]
        history = [{"type": "message", **fields} for fields in said]
        return record("compacted", {"message": "", "replacement_history": history})


def _text(rng: random.Random, words: str, size: int) -> str:
    """Return words in lines, of some `size` characters."""
    drawn = iter(rng.choices(words.split(" "), k=size // 3))
    lines: list[str] = []
    while size > 0:
        lines.append(" ".join(islice(drawn, rng.randrange(3, 16))))
        size -= len(lines[-1]) + 1
    return "\n".join(lines)
