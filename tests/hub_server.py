"""A hub on loopback: serves files as the real one does, cuts them off, and lies about them."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
from contextlib import contextmanager

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """What the hub has and how it behaves.

    ``files`` is "ORG/REPO/FILE" → content; ``cut_after`` ends each transfer
    after so many bytes; ``sent`` replaces the content that is sent, ``size``
    and ``sha256`` what is said of it; ``token`` must be given where it is set.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    cut_after: int | None = None
    sent: bytes | None = None
    size: int | None = None
    sha256: str | None = None
    token: str = ""
    redirect: str = ""
    status: int = 0
    ranges: bool = True
    commit: str = COMMIT
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    @property
    def gets(self) -> list[str]:
        """The range of each transfer, empty for whole files."""
        return [wanted for method, _, wanted in self.requests if method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_args):
        pass

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, *, with_body):
        hub, wanted = self.hub, self.headers.get("Range", "")
        hub.requests.append((self.command, self.path, wanted))
        hub.tokens.append(self.headers.get("Authorization", ""))
        if hub.status:
            return self._fail(hub.status)
        repo, _, rest = self.path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        repos = {"/".join(key.split("/")[:2]) for key in hub.files}
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self._fail(401, "GatedRepo")
        if repo not in repos:
            return self._fail(404, "RepoNotFound")
        if revision not in {"main", hub.commit}:
            return self._fail(404, "RevisionNotFound")
        content = hub.files.get(f"{repo}/{name}")
        if content is None:
            return self._fail(404, "EntryNotFound")
        if hub.redirect:
            return self._redirect(content)
        return self._send(content, wanted, with_body=with_body)

    def _redirect(self, content):
        """Send on to where the content lies, as the real hub does with large files."""
        self.send_response(302)
        self.send_header("Location", f"{self.hub.redirect}{self.path}")
        self.send_header("X-Repo-Commit", self.hub.commit)
        self.send_header("X-Linked-Etag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _fail(self, status, code=""):
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", "no")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, content, wanted, *, with_body):
        hub = self.hub
        sha256 = hub.sha256 or hashlib.sha256(content).hexdigest()
        sent = hub.sent if hub.sent is not None else content
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and hub.ranges else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(sent) - 1}/{len(sent)}")
        self.send_header("X-Repo-Commit", hub.commit)
        self.send_header("ETag", f'"{sha256}"')
        self.send_header("X-Linked-Size", str(hub.size or len(content)))
        self.send_header("Content-Length", str(len(sent) - start))
        self.end_headers()
        if not with_body:
            return
        body = sent[start:]
        if hub.cut_after is not None and len(body) > hub.cut_after:
            self.wfile.write(body[: hub.cut_after])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(body)


@contextmanager
def serve_hub(**behaviour) -> Iterator[Hub]:
    """Serve a hub on a free port of loopback."""
    hub = Hub(**behaviour)
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.handle_error = lambda *_args: None
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
