"""A model on loopback: enough of the Responses API for every release to hold a conversation.

What is answered depends on the request alone, never on what was asked before, so that any number
of clients may talk at once and a resumed conversation needs no state here.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, cast

Item = dict[str, Any]
"""One item of a response's output, as it is streamed and as Codex then records it."""

_serial = count(1)


@dataclass(frozen=True)
class Request:
    """One ``POST .../responses``: its path and its decoded body."""

    path: str
    body: Mapping[str, Any]

    @property
    def tools(self) -> tuple[str, ...]:
        """Names of the function tools that the client offers, in its order."""
        offered = self.body.get("tools") or []
        return tuple(str(tool.get("name") or tool.get("type")) for tool in offered)

    @property
    def input(self) -> list[Item]:
        """The conversation so far."""
        return list(self.body.get("input") or [])

    @property
    def prompt(self) -> str:
        """The text of the last user message, all its parts joined."""
        for item in reversed(self.input):
            if item.get("role") == "user":
                parts = item.get("content") or []
                return "".join(str(part.get("text", "")) for part in parts)
        return ""

    @property
    def answers_call(self) -> bool:
        """Whether the client has just sent back the output of a tool."""
        kind = str(self.input[-1].get("type")) if self.input else ""
        return kind.endswith("_output")


Script = Callable[[Request], Sequence[Item]]
"""Decides the output items of one response."""


def message(text: str) -> Item:
    """An assistant message."""
    return {
        "type": "message",
        "id": f"msg_{next(_serial)}",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def reasoning(summary: str) -> Item:
    """A reasoning item with one summary."""
    return {
        "type": "reasoning",
        "id": f"rs_{next(_serial)}",
        "summary": [{"type": "summary_text", "text": summary}],
        "encrypted_content": "bW9jaw==",
    }


def function_call(name: str, arguments: Mapping[str, Any]) -> Item:
    """A call of one of the client's tools."""
    number = next(_serial)
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": json.dumps(arguments),
    }


def converse(request: Request) -> Sequence[Item]:
    """The default script: reason and answer; ``!COMMAND`` as a prompt runs a command first."""
    if request.prompt.startswith("!") and not request.answers_call:
        call = shell_call(request.tools, request.prompt[1:])
        return [reasoning("**Run it**"), call]
    return [reasoning("**Think**"), message(f"Heard: {request.prompt[:60]}")]


def shell_call(tools: Sequence[str], command: str) -> Item:
    """A call that runs ``command``, spelt for whichever shell tool the release offers."""
    if "exec_command" in tools:
        return function_call("exec_command", {"cmd": command})
    if "shell_command" in tools:
        return function_call("shell_command", {"command": command})
    return function_call("shell", {"command": ["bash", "-lc", command]})


def _events(items: Sequence[Item]) -> Iterator[Mapping[str, Any]]:
    response = {"id": f"resp_{next(_serial)}", "object": "response"}
    yield {"type": "response.created", "response": {**response, "output": []}}
    for index, item in enumerate(items):
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    usage = {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 400},
        "output_tokens": 50 * len(items),
        "output_tokens_details": {"reasoning_tokens": 10},
        "total_tokens": 1000 + 50 * len(items),
    }
    done = {**response, "status": "completed", "output": list(items), "usage": usage}
    yield {"type": "response.completed", "response": done}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    mock: MockResponses

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed has not told us anything new."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        if "upgrade" in self.headers.get("Connection", "").lower():
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain")  # back to plain HTTP
            return
        empty = {"object": "list", "data": [], "models": [], "items": []}
        self._send(HTTPStatus.OK, json.dumps(empty).encode(), "application/json")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.path.endswith("/responses"):
            self._send(HTTPStatus.OK, b"{}", "application/json")
            return
        mock = cast("_Server", self.server).mock
        items = mock.answer(Request(self.path, json.loads(raw)))
        stream = "".join(
            f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in _events(items)
        )
        self._send(HTTPStatus.OK, stream.encode(), "text/event-stream")

    def do_CONNECT(self) -> None:
        cast("_Server", self.server).mock.strays.append(self.path)
        self._send(HTTPStatus.FORBIDDEN, b"", "text/plain")

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay quiet: tests read ``MockResponses.requests`` instead."""


@dataclass
class MockResponses:
    """A running mock: where it listens and what it was asked."""

    port: int
    script: Script = converse
    requests: list[Request] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    """Hosts that a client wanted to reach through us; each was refused."""

    @property
    def base_url(self) -> str:
        """What belongs into ``base_url`` of a model provider."""
        return f"{self.proxy_url}/v1"

    @property
    def proxy_url(self) -> str:
        """A proxy that refuses everything, so that a client cannot leave the loopback."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, request: Request) -> Sequence[Item]:
        """Note the request and let the script decide."""
        self.requests.append(request)
        return self.script(request)


@contextmanager
def mock_responses(script: Script = converse) -> Iterator[MockResponses]:
    """Serve on a free port of the loopback interface until the block ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.mock = MockResponses(server.server_address[1], script)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="mock-responses")
        thread.start()
        try:
            yield server.mock
        finally:
            server.shutdown()
            thread.join()
