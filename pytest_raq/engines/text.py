"""Text of others on one line of ours."""

from __future__ import annotations

import re

_ANSI_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-_])")


def one_line(text: str, longest: int = 240) -> str:
    """Return text without control characters, on one line of ``longest`` characters at most."""
    plain = _ANSI_ESCAPE.sub("", text)
    printable = "".join(char if char.isprintable() else " " for char in plain)
    words = " ".join(printable.split())
    return words if len(words) <= longest else words[: longest - 1] + "…"
