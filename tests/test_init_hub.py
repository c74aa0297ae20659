"""raq init with a hub on loopback: which file is meant, its commit and its SHA-256."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from pytest_raq.config import load_model
from pytest_raq.scaffold.models import split_hub_id

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "small-1b-instruct.Q8_0.gguf": "a" * 64,
    "small-1b-instruct.Q4_K_M.gguf": "b" * 64,
    "big/small-1b-instruct.F16.gguf": "c" * 64,
}


@pytest.fixture
def hub():
    """A server that knows one repository; yields its address and the paths it was asked for."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            found = self.path.startswith("/api/models/team/small-GGUF")
            lfs = {
                name: {"sha256": sha, "size": 9, "pointerSize": 9} for name, sha in FILES.items()
            }
            siblings = [{"rfilename": "README.md"}]
            siblings += [{"rfilename": name, "size": 9, "lfs": lfs[name]} for name in FILES]
            table = {"id": "team/small-GGUF", "sha": COMMIT, "siblings": siblings}
            body = json.dumps(table if found else {"error": "not found"}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def init(folder, endpoint, model):
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(folder / ".hf")}
    environment.pop("HF_HUB_OFFLINE", None)
    program = "import sys; from pytest_raq.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", program, "init", "--model", model],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_a_quantization_is_found_with_commit_and_sha256(hub, tmp_path):
    endpoint, _ = hub
    result = init(tmp_path, endpoint, "team/small-GGUF:q8_0")
    assert result.returncode == 0, result.stderr
    model = load_model(tmp_path / "models", "small-1b-instruct")
    assert model.source.repo == "team/small-GGUF"
    assert model.source.filename == "small-1b-instruct.Q8_0.gguf"
    assert model.source.revision == COMMIT
    assert model.sha256 == "a" * 64
    assert "raq models pull small-1b-instruct" in result.stdout
    assert "*.gguf" in (tmp_path / ".gitignore").read_text()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "team/small-GGUF/small-1b-instruct.Q4_K_S.gguf",
            (
                "raq: --model team/small-GGUF: has no file 'small-1b-instruct.Q4_K_S.gguf';"
                " did you mean 'small-1b-instruct.Q4_K_M.gguf'?\n"
            ),
        ),
        (
            "team/small-GGUF:Q2_K",
            (
                "raq: --model team/small-GGUF: has no quantization 'Q2_K':"
                f" write team/small-GGUF/FILE.gguf, one of {', '.join(FILES)}\n"
            ),
        ),
        ("team/other", "raq: --model team/other: the hub cannot be asked for its files ("),
    ],
)
def test_what_the_hub_does_not_have_is_one_line(hub, tmp_path, model, message):
    result = init(tmp_path, hub[0], model)
    assert result.returncode == 2
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "models").exists()


def test_a_repository_alone_means_four_bits_of_the_revision(hub, tmp_path):
    endpoint, asked = hub
    assert init(tmp_path, endpoint, "hf:team/small-GGUF@v2").returncode == 0
    assert load_model(tmp_path / "models", "small-1b-instruct").sha256 == "b" * 64
    assert "/revision/v2" in asked[-1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a/b", ("a/b", "", "")),
        ("a/b:Q4_K_M", ("a/b", "Q4_K_M", "")),
        ("a/b/c/d.gguf", ("a/b", "c/d.gguf", "")),
        ("hf:a/b/d.gguf@main", ("a/b", "d.gguf", "main")),
        ("hf://a/b/d.gguf", ("a/b", "d.gguf", "")),
        ("models/x.gguf", None),
        ("a", None),
        ("a/b/../c", None),
        ("a b/c", None),
        ("ä/b", None),
    ],
)
def test_hub_ids(text, found):
    assert split_hub_id(text) == found
