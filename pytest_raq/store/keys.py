"""What stands for an answer, a verdict or a file in the store."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from pytest_raq.records import JudgeIdentity, Prompt, Question


RACY_SECONDS = 2.0
"""A file may change once more without another time: clocks of file systems tick that slowly."""


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


def likelihood_key(answer_key: str, text: str) -> str:
    """Return the key of a text's likelihood after the prompt of an answer's key."""
    whole = answer_key.encode() + b"\0likelihood 2\0" + text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(whole).hexdigest()


def _pairs(prompt: Prompt) -> list[list[str]]:
    return [[message.role, message.content] for message in prompt.messages]


def verdict_key(judge: JudgeIdentity, question: Question, texts: Sequence[str]) -> str:
    """Return the key of a judge's verdict on the distinct texts of a question.

    The question's id is a part: a judge may draw from it in which order it
    reads the texts.
    """
    who = [judge.name, judge.prompt_sha256, judge.chosen]
    asked = asdict(question)
    del asked["group"]  # no judge sees it
    return hash_parts(judge=who, question=asked, texts=sorted(set(texts)))


def signature(found: os.stat_result) -> str:
    """Return what changes when a file does: device, inode, size and both times.

    The time of the last change of the inode is among them: it cannot be set
    back, as a copy that keeps times does with the time of modification.
    """
    times = f"{found.st_mtime_ns} {found.st_ctime_ns}"
    return f"{found.st_dev} {found.st_ino} {found.st_size} {times}"


def is_racy(found: os.stat_result) -> bool:
    """Whether a file changed so lately that its next change might not show.

    As git does with its index; a time in the future is never trusted.
    """
    return time.time() - max(found.st_mtime, found.st_ctime) < RACY_SECONDS
