"""Removes secrets of the environment from texts."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN = "[hidden]"

_SECRET_NAME = re.compile(
    r"(?:key|token|secret|passw(?:or)?d|passphrase|credential|auth|(?:^|_)(?:pass|pat)|_pwd)s?"
    r"(?=_|\d|$)",
    re.IGNORECASE,
)
"""GITHUB_TOKEN and OPENAI_API_KEY, but not GIT_AUTHOR_NAME, PWD or TOKENIZERS_PARALLELISM."""
_SHORTEST_SECRET = 6
_USER_OF_URL = re.compile(r"(?<=://)\S*@")
_USER_WITHOUT_SCHEME = re.compile(r"""(?<![\w/])[^\s:/@'"()\[\]]+:[^\s/@'"]+@(?=[\w\[])""")
_QUERY_OF_URL = re.compile(r"(\w+://[^\s?#]+)[?]\S*")
_KEY = re.compile(
    r"\b(?:sk|pk|rk|gsk|nvapi|xox[abprs]|glpat|github_pat|gh[oprsu])[-_](?=[\w-]*\d)[\w-]{10,}"
    r"|\b(?:hf|r8)_[A-Za-z0-9]{20,}|\bAIza[\w-]{20,}|\bAKIA[A-Z0-9]{12,}"
    r"|\beyJ[\w-]{10,}\.[\w-]+(?:\.[\w-]*)?"
)
"""Keys of well-known services, recognized by their form in any text."""


def known_secrets(variables: Iterable[str], addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the secrets, longest first.

    These are the values of environment variables whose name contains key, token,
    password or a similar word, those of the ``variables``, and the user part of
    each of the ``addresses`` and of each address in a variable.
    """
    wanted = set(variables)
    found: set[str] = set()
    for name, value in os.environ.items():
        if name in wanted or _SECRET_NAME.search(name):
            found.add(value.strip())
        found.update(_passwords(value))
    for address in addresses:
        found.update(_passwords(address))
    return tuple(sorted((each for each in found if len(each) >= _SHORTEST_SECRET), key=_order))


def _order(secret: str) -> tuple[int, str]:
    return -len(secret), secret


def _passwords(text: str) -> Iterator[str]:
    """Yield the passwords of addresses, as written and as decoded and sent."""
    for match in _USER_OF_URL.finditer(text):
        user, _, password = match[0][:-1].partition(":")
        secret = password or user
        yield from (secret, unquote(secret), quote(secret, safe=""))


def hide_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without secrets, users and queries of addresses, and possible keys."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = _QUERY_OF_URL.sub(rf"\1?{HIDDEN}", _USER_OF_URL.sub(f"{HIDDEN}@", text))
    return _KEY.sub(HIDDEN, _USER_WITHOUT_SCHEME.sub(f"{HIDDEN}@", text))
