"""Texts of models made safe to be read by a judge: data, and nothing but data."""

from __future__ import annotations

import re
from functools import cache

CUT = " […]"
"""Stands behind a text of which only the start is shown."""

_REASONING = re.compile(
    r"<(think|thinking|thought|reasoning|reflection)>.*?(?:</\1>|\Z)"
    r"|\[THINK\].*?(?:\[/THINK\]|\Z)"
    r"|◁think▷.*?(?:◁/think▷|\Z)"
    r"|<\|channel\|>analysis<\|message\|>.*?(?:<\|end\|>|(?=<\|start\|>)|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_REASONING_WITHOUT_START = re.compile(
    r"\A.*?(?:</(?:think|thinking|thought|reasoning|reflection)>|\[/THINK\]|◁/think▷)",
    re.DOTALL | re.IGNORECASE,
)
_FINAL_CHANNEL = re.compile(r"<\|(?:start\|>assistant<\|)?channel\|>final<\|message\|>")

# What chat templates are made of: a server may parse it wherever it stands.
_SPECIAL = re.compile(
    r"<(?=[|\uff5c][^<>|\uff5c\n]{1,60}[|\uff5c]>)"
    r"|<(?=/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|start_of_image)>)"
    r"|<(?=</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS)\])"
)
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that make a text read in another order than it is written."""


def strip_reasoning(text: str) -> str:
    """Return a text without the blocks in which a model thought aloud.

    A block that never ends takes the rest with it: the model was cut off
    before it answered. One that only ends began in the prompt.
    """
    plain = _REASONING.sub("", text)
    plain = _REASONING_WITHOUT_START.sub("", plain)
    return _FINAL_CHANNEL.sub("", plain).strip()


def defuse(text: str) -> str:
    r"""Return a text with nothing in it that is more than text.

    Control characters go, all line ends become ``\n``, and what a chat template
    could read as its own gets a backslash: ``<\|im_end|>``.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    whole = lines.encode("utf-8", "replace").decode()
    return _SPECIAL.sub(lambda found: found[0] + "\\", _HIDDEN.sub("", whole))


def cut(text: str, length: int) -> str:
    """Return at most ``length`` characters of a text, up to the end of a word, and the mark."""
    if len(text) <= length:
        return text
    # Where there are no words, as in Chinese, or where one is endless, cut anywhere.
    start = text[: length + 1]
    at = max(start.rfind(space) for space in " \n\t")
    return text[: at if at > length // 2 else length].rstrip() + CUT


def show(text: str, length: int) -> str:
    """Return what the judge reads of an answer."""
    return cut(defuse(strip_reasoning(text)).strip(), length)


@cache
def label(index: int) -> str:
    """Return the neutral name of a place: A to Z, AA, AB, …; a law of columns in spreadsheets."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
