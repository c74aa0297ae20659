"""Checks the hub: whether it may be asked, and whether it answers."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_raq.doctor.context import finding, install_command
from pytest_raq.doctor.waiting import Inquiry, ask_all
from pytest_raq.hub.remote import shown_endpoint
from pytest_raq.records.command_results import Health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.doctor.context import CheckContext
    from pytest_raq.records.command_results import Finding

HUB_SECONDS = 10.0
"""Seconds that the hub may take to answer."""

_SECTION = "hub"
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")
_YES = {"1", "ON", "YES", "TRUE"}
_OUT_OF_ORDER = {407, 500, 502, 503, 504}
"""Status codes of a proxy, or of a hub that is down."""
_STEP = "check the network, the proxy and HF_ENDPOINT, or set HF_HUB_OFFLINE=1"


def look_at_hub(context: CheckContext) -> Iterator[Finding]:
    """Yield whether the hub can be asked for the files and questions of the project."""
    users = _users(context)
    forbidden = [name for name in _OFFLINE if os.environ.get(name, "").upper() in _YES]
    if forbidden:
        yield _offline(context, forbidden[0])
    elif context.offline:
        yield finding(_SECTION, shown_endpoint(), Health.OK, "not asked (--offline)")
    elif users:
        yield from _ask(users)
    else:
        yield finding(
            _SECTION, shown_endpoint(), Health.OK, "not asked: nothing here comes from a hub"
        )


def _users(context: CheckContext) -> list[str]:
    """Return the models and suites that use a hub."""
    models = [model.name for model in context.readable_models if model.source is not None]
    suites = [f"suite {suite.name}" for suite in context.readable_suites if context.asks_hub(suite)]
    return [*models, *suites]


def _offline(context: CheckContext, variable: str) -> Finding:
    text = f"{variable} is set: nothing is fetched, only the cache is used"
    absent = [
        model.name
        for model in context.readable_models
        if model.source is not None and model.file and not model.file_path.exists()
    ]
    if not absent:
        return finding(_SECTION, "offline", Health.OK, text)
    step = f"unset {variable}, then run raq models pull {absent[0]}"
    return finding(_SECTION, "offline", Health.WARNING, text, step)


def _ask(users: list[str]) -> Iterator[Finding]:
    needed = ", needed by " + ", ".join(users[:3]) + ", …" * (len(users) > 3)
    late = _unreachable(f"no answer within {HUB_SECONDS:g} s", needed)
    inquiry = Inquiry(_SECTION, shown_endpoint(), "hub", lambda: _reach(needed), late, late)
    # In a thread, because no time limit applies to the lookup of a host name.
    yield from ask_all([inquiry], HUB_SECONDS)
    if find_spec("huggingface_hub") is None:
        step = install_command("hub")
        yield finding(_SECTION, "huggingface_hub", Health.WARNING, f"not installed{needed}", step)


def _reach(needed: str) -> Finding:
    started = time.monotonic()
    if problem := _problem(shown_endpoint()):
        return _unreachable(problem, needed)
    seconds = time.monotonic() - started
    return finding(_SECTION, shown_endpoint(), Health.OK, f"answered after {seconds:.2f} s{needed}")


def _unreachable(why: str, needed: str) -> Finding:
    text = f"cannot be reached ({why}){needed}"
    return finding(_SECTION, shown_endpoint(), Health.WARNING, text, _STEP)


def _problem(address: str) -> str:
    """Return why an address does not answer; empty if it does."""
    try:
        if urlsplit(address).scheme not in {"http", "https"}:
            return "not an address that starts with https://"
        request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - checked above
        with urllib.request.urlopen(request, timeout=HUB_SECONDS):  # noqa: S310
            return ""
    except urllib.error.HTTPError as exc:
        with exc:  # a request to sign in is an answer too
            return f"it answers {exc.code}" if exc.code in _OUT_OF_ORDER else ""
    except (OSError, ValueError, HTTPException) as exc:
        return str(getattr(exc, "reason", exc)) or type(exc).__name__
