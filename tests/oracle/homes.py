"""Homes as users have them: several conversations of different kinds, by one release."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.running import wait_for_another_second

from .app_server import AppServer
from .codex_index import copy_home
from .driver import CodexHome, codex_home
from .mock_responses import Item, MockResponses, Request, converse, function_call

VERSIONS = ("0.20.0", "0.36.0", "0.58.0", "0.99.0", "0.130.0", "0.169.0")
"""Releases that wrote rollouts in different ways: one of each kind."""

LONG_PROMPT = "Zusammenfassung: ünïcödé, \U0001f980, 表\u2028and\ttabs.\n\n" + "words " * 120

_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

TOOLS: list[Item] = [
    {
        "name": "lookup",
        "description": "Look things up",
        "inputSchema": {"type": "object", "properties": {"b": {"type": "string"}, "a": {}}},
    },
    {
        "name": "later",
        "namespace": "slow",
        "description": "Only when asked for",
        "inputSchema": {"type": "object"},
        "deferLoading": True,
    },
]


def talk(request: Request) -> list[Item]:
    """The mock's script for these homes: ``spawn`` as a prompt starts a subagent."""
    if request.prompt != "spawn" or request.answers_call:
        return list(converse(request))
    call = function_call("spawn_agent", {"message": "!echo child", "agent_type": "explorer"})
    if "multi_agent_v1" in request.tools:
        call["namespace"] = "multi_agent_v1"
    return [call]


def write_home(version: str, home: Path, mock: MockResponses) -> CodexHome:
    """Have a release hold every kind of conversation that it can.

    Args:
        version: One of ``VERSIONS``.
        home: An empty or absent folder.
        mock: Must run the script ``talk``.
    """
    codex = codex_home(version, home, mock)
    plain = codex.home / "work" / "plain folder"
    plain.mkdir(parents=True)
    repository = _repository(codex.home / "work" / "repository")
    pixel = plain / "pixel.png"
    pixel.write_bytes(_PIXEL)

    codex.exec("hello there", cwd=plain)
    if codex.has("0.36.0"):
        codex.resume("and once more", cwd=plain)
    codex.exec("!echo hi", cwd=repository)
    codex.exec(LONG_PROMPT, "--model", "other-model", cwd=plain, sandbox="read-only")
    effort = ("-c", "model_reasoning_effort=high", "-c", "approval_policy=on-request")
    codex.exec("think hard", *effort, cwd=repository, sandbox="workspace-write")
    if codex.has("0.58.0"):  # older ones may wait for ever once they have an image
        codex.exec("see this", cwd=repository / "src", images=[pixel])
    if codex.has("0.58.0"):
        with codex.app_server() as server:
            _converse_with_app_server(codex, server, repository)
    return codex


def adopt(version: str, source: Path, home: Path, mock: MockResponses) -> CodexHome:
    """A copy of a home in the hands of another release, to resume, compress or migrate it."""
    return codex_home(version, copy_home(source, home), mock)


def _converse_with_app_server(codex: CodexHome, server: AppServer, cwd: Path) -> None:
    settings = {"sandbox_mode": "workspace-write", "approval_policy": "on-request"}
    thread = _start(server, cwd, config={**settings, "model_reasoning_effort": "low"})
    server.turn(thread, "first words")
    if codex.has("0.99.0"):
        server.request("thread/name/set", threadId=thread, name="a first name")
        server.request("thread/name/set", threadId=thread, name="a good name")
        forked = str(server.request("thread/fork", threadId=thread)["thread"]["id"])
        server.turn(forked, "in the fork")
        server.archive(forked)
        server.turn(thread, "spawn")
    last = server.turn(thread, "second words", effort="medium")
    if codex.has("0.169.0"):
        wait_for_another_second()
        server.request("thread/revert", threadId=thread, beforeTurnId=last)
    elif codex.has("0.99.0"):
        server.roll_back(thread)
    server.turn(thread, "other second words")

    archived = _start(server, cwd)
    server.turn(archived, "to be archived")
    server.archive(archived)
    if codex.has("0.99.0"):
        compacted = _start(server, cwd)
        server.turn(compacted, "say much")
        server.compact(compacted)
        server.turn(compacted, "after compaction")
    if codex.has("0.130.0"):
        _converse_with_latest(codex, server, cwd)


def _converse_with_latest(codex: CodexHome, server: AppServer, cwd: Path) -> None:
    thread = _start(server, cwd, dynamicTools=TOOLS)
    server.turn(thread, "with tools")
    server.request("thread/memoryMode/set", threadId=thread, mode="disabled")
    git = {"branch": "elsewhere", "sha": "0" * 40, "originUrl": "https://example.org/other"}
    server.request("thread/metadata/update", threadId=thread, gitInfo=git)
    goal = _start(server, cwd, threadSource="user")
    # Paused, for an active goal makes Codex go on talking by itself.
    server.request("thread/goal/set", threadId=goal, objective="a goal", status="paused")
    server.turn(goal, "towards the goal")
    if codex.has("0.169.0"):
        paginated = _start(server, cwd, historyMode="paginated")
        server.turn(paginated, "by the page")
        server.turn(paginated, "!echo page")


def _start(server: AppServer, cwd: Path, **params: Any) -> str:
    answer = server.request("thread/start", cwd=str(cwd), **params)
    return str(answer["thread"]["id"])


def _repository(folder: Path) -> Path:
    (folder / "src").mkdir(parents=True)
    git = [shutil.which("git") or "git", "-C", str(folder), "-c", "core.hooksPath=/dev/null"]
    who = ["-c", "user.name=Nobody", "-c", "user.email=nobody@localhost"]
    for command in (
        ["init", "--quiet", "--initial-branch=trunk"],
        [*who, "commit", "--quiet", "--allow-empty", "--message=first"],
        ["remote", "add", "origin", "https://example.org/team/project.git"],
    ):
        subprocess.run([*git, *command], check=True, timeout=30)
    return folder
