"""What must not be shown of an environment."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECRET_NAME = re.compile(r"(?i)key|token|secret|passw|credential|auth")
_SHORTEST_SECRET = 6
_USER_OF_URL = re.compile(r"(?<=://)[^\s/@]+@")
_QUERY_OF_URL = re.compile(r"(\w+://[^\s?#]+)[?][^\s]*")
HIDDEN = "[hidden]"


def hide_secrets(text: str, more: Iterable[str] = ()) -> str:
    """Return a text without passwords and queries of addresses, and without known secrets.

    Known are the values of environment variables whose name speaks of a key, a
    token, a password or the like, and those of the variables in ``more``.
    """
    text = _QUERY_OF_URL.sub(rf"\1?{HIDDEN}", _USER_OF_URL.sub(f"{HIDDEN}@", text))
    wanted = set(more)
    values = {
        value.strip()
        for name, value in os.environ.items()
        if name in wanted or _SECRET_NAME.search(name)
    }
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, HIDDEN)
    return text
