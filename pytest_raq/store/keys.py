"""Keys of what is kept: a hash of everything that could have made it different."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.records import JudgeIdentity, Prompt, Question


def hash_parts(**parts: object) -> str:
    """Return the SHA-256 of named parts, whatever their order."""
    return hashlib.sha256(_canonical(parts)).hexdigest()


def _canonical(parts: dict[str, object]) -> bytes:
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=list)
    # Questions may hold half of a surrogate pair, which UTF-8 proper cannot.
    return text.encode("utf-8", "surrogatepass")


class AnswerKeys:
    """Keys of the answers of one model.

    ``parts`` are what all of them have in common: what runs the model, and how.
    They are hashed once, so that a key costs no more than its prompt.
    """

    def __init__(self, **parts: object) -> None:
        self._common = hashlib.sha256(_canonical(parts))

    def key(self, prompt: Prompt) -> str:
        """Return the key of the answer to a prompt; its question's id does not matter."""
        digest = self._common.copy()
        if prompt.messages:
            digest.update(b"\0messages\0" + _canonical({"messages": _pairs(prompt)}))
            return digest.hexdigest()
        digest.update(b"\0chat\0" if prompt.chat else b"\0plain\0")
        digest.update(prompt.text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def _pairs(prompt: Prompt) -> list[list[str]]:
    return [[message.role, message.content] for message in prompt.messages]


def verdict_key(judge: JudgeIdentity, question: Question, texts: Sequence[str]) -> str:
    """Return the key of a judge's verdict on the distinct texts of a question.

    The question's id is a part: a judge may draw from it in which order it
    reads the texts.
    """
    who = [judge.name, judge.prompt_sha256, dict(judge.options)]
    asked = asdict(question)
    del asked["group"]  # no judge sees it
    return hash_parts(judge=who, question=asked, texts=sorted(set(texts)))
