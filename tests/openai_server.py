"""An OpenAI-compatible server on loopback that does as a test tells it."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from pytest_raq.engines.openai_compat.pace import forget_sites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Response:
    """What to send: a JSON value or raw bytes, maybe late, maybe cut after some bytes."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0
    cut_at: int | None = None


def chat(text: str | None, *, reason: str = "stop", usage: bool = True, **message: Any) -> Response:
    """Return a whole chat completion."""
    body: dict[str, Any] = {
        "id": "x",
        "object": "chat.completion",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": reason,
            }
        ],
    }
    if usage:
        body["usage"] = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return Response(body)


def error(status: int, message: str, **headers: str) -> Response:
    """Return an error as OpenAI words it."""
    return Response({"error": {"message": message, "type": "x", "code": None}}, status, headers)


def stream(
    parts: list[str], *, reason: str | None = "stop", usage: bool = True, done: bool = True
) -> Response:
    """Return a streamed chat completion."""
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": part}, "finish_reason": None}]}
        for part in parts
    ]
    if reason:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if usage:
        chunks.append({"choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 7}})
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    text = "".join([*lines, "data: [DONE]\n\n"] if done else lines)
    return Response(text.encode(), headers={"Content-Type": "text/event-stream"})


def shown(request: dict[str, Any]) -> dict[str, str]:
    """Return the answers that a judge is shown, by label."""
    prompt = request["messages"][0]["content"]
    blocks = re.findall(
        r"^(#\w{10}) answer ([A-Z]+)\n(.*?)\n\1 end of answer \2$", prompt, re.DOTALL | re.MULTILINE
    )
    return {label: text for _, label, text in blocks}


def rank_by(closeness: Callable[[str], float]) -> Callable[[dict[str, Any]], Response]:
    """Return a good judge: the smaller the figure of an answer, the better its rank."""

    def reply(request: dict[str, Any]) -> Response:
        answers = shown(request)
        figures = sorted({closeness(text) for text in answers.values()})
        ranks = {label: figures.index(closeness(text)) + 1 for label, text in answers.items()}
        return chat(json.dumps(ranks))

    return reply


class Server(ThreadingHTTPServer):
    """Answers by ``reply``, a function of the request's JSON; keeps all requests.

    With ``drops`` it cuts a reply that is on its way when the next request comes.
    """

    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, reply: Callable[[dict[str, Any]], Response], *, drops: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply = reply
        self.drops = drops
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.flying = self.most_flying = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._send(Response({"object": "list", "data": []}))

    def do_POST(self) -> None:
        server = self.server
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.requests.append(request)
            server.paths.append(self.path)
            server.keys.append(self.headers.get("Authorization", ""))
            server.headers.append({name.lower(): value for name, value in self.headers.items()})
            number = len(server.requests)
            server.flying += 1
            server.most_flying = max(server.most_flying, server.flying)
        try:
            self._send(server.reply(request), number)
        finally:
            with server.lock:
                server.flying -= 1

    def _send(self, response: Response, number: int = 0) -> None:
        if response.after:
            time.sleep(response.after)
        if number and self.server.drops and len(self.server.requests) > number:
            response = replace(response, cut_at=20)
        body = response.body
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.send_response(response.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        for name, value in {**headers, **response.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if response.cut_at is not None:
            self.wfile.write(data[: response.cut_at])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def serving(
    reply: Callable[[dict[str, Any]], Response], *, drops: bool = False
) -> Iterator[Server]:
    """Run a server; what was learned of it is forgotten with it."""
    server = Server(reply, drops=drops)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        forget_sites()
