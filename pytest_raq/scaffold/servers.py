"""Which model an OpenAI-compatible server has."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request

from pytest_raq.errors import ConfigError
from pytest_raq.report.text import safe_text

_SECONDS = 5
_MOST_BYTES = 1_000_000


KEY_VARIABLE = "OPENAI_API_KEY"


def served_model(text: str) -> tuple[str, str, str]:
    """Return the base URL of a server, the model that is meant, and the variable of its key.

    ``URL#MODEL`` names the model; else the server is asked, which must have
    exactly one. No key is sent, so a server that answers needs none. ConfigError
    when the model cannot be found out.
    """
    url, _, wanted = text.partition("#")
    base = _base_url(url)
    if wanted:
        return base, wanted, KEY_VARIABLE
    names = _ask(base)
    if len(names) == 1:
        return base, names[0], ""
    told = ", ".join(safe_text(name, 60) for name in names[:12])
    raise ConfigError(
        f"--model {url}: the server has {len(names)} models: write {url}#MODEL"
        + (f", one of {told}" if told else "")
    )


def _base_url(url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError as exc:
        raise ConfigError(f"--model {url}: is no address: {exc}") from exc
    if not host or any(not char.isprintable() or char == " " for char in url):
        raise ConfigError(f"--model {url!r}: is no address; write http://127.0.0.1:8000/v1")
    if parts.username or parts.password or parts.query:
        raise ConfigError(
            f"--model {parts.scheme}://{host}: an address must not hold a key:"
            " put it into an environment variable, which api_key_env names"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/') or '/v1'}"


def _ask(base: str) -> list[str]:
    request = urllib.request.Request(f"{base}/models", headers={"Accept": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as reply:  # noqa: S310 - http(s) only
            table = json.loads(reply.read(_MOST_BYTES))
        return [str(item["id"]) for item in table["data"]]
    except urllib.error.HTTPError as exc:
        why = f"answers {exc.code} {exc.reason}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        why = str(getattr(exc, "reason", None) or exc) or type(exc).__name__
        why = f"does not list its models ({safe_text(why, 120)})"
    raise ConfigError(f"--model {base}: {why}: start the server, or name the model: {base}#MODEL")
