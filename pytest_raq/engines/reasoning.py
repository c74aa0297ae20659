"""The reasoning of a model, apart from its answer."""

from __future__ import annotations

import re

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


def strip_reasoning(text: str) -> str:
    """Return a text without the blocks in which a model thought aloud.

    A block that never ends takes the rest with it: the model was cut off
    before it answered. One that only ends began in the prompt.
    """
    plain = _REASONING.sub("", text)
    plain = _REASONING_WITHOUT_START.sub("", plain)
    return _FINAL_CHANNEL.sub("", plain).strip()
