"""What tests of `raq init` share: an empty folder, the command, a server."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pytest_raq.cli import main

ROOT = Path(__file__).parent.parent
READER = ROOT / "models/reader-llama-f16.gguf"
MINI = ROOT / "suites/mini.json"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, and the current one; no hub is asked."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    empty = tmp_path / "project"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return empty


@pytest.fixture
def init(capsys):
    """Run ``raq init`` and return its exit code, lines and error."""

    def run(*arguments):
        code = main(["init", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err

    return run


@pytest.fixture
def chat_gguf(tiny_gguf):
    return tiny_gguf(chat_template="{% for m in messages %}{{ m['role'] }}{% endfor %}")


@pytest.fixture
def served():
    """A server that lists the models it is told to; returns its address and what it was asked."""
    names, asked = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers.get("Authorization")))
            body = json.dumps({"data": [{"id": name} for name in names]}).encode()
            self.send_response(200 if names else 500)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", names, asked
        server.shutdown()


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
