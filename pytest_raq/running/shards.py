"""Slices of a suite for parallel jobs: whole passages, and whole blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.answering.prompts import blocks_of
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.records import Question

USUAL_BLOCK = 32
"""Questions that an engine with default settings answers together."""

_FEWEST_BLOCKS = 2
"""From so many blocks per shard, shards end where blocks end, so that none is answered twice."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of ``count`` slices of a suite; ``index`` from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        """Return e.g. ``1 of 3``."""
        return f"{self.index} of {self.count}"

    @property
    def is_first(self) -> bool:
        """Whether this is the shard that also measures speed."""
        return self.index == 1


def parse_shard(text: str) -> Shard | None:
    """Read ``I/N``; return None for an empty text, raise ConfigError for an invalid one."""
    if not text:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    shard = Shard(int(found[1]), int(found[2])) if found else None
    if shard is None or not 1 <= shard.index <= shard.count:
        raise ConfigError(f"--raq-shard {text!r}: write I/N, from 1/N to N/N, for example 1/4")
    return shard


def slice_of(questions: Sequence[Question], shard: Shard) -> tuple[Question, ...]:
    """Return the questions of a shard: about as many in each, each passage in one shard only.

    The slices of all shards together are the suite. If there are enough questions,
    those that are answered together stay in one shard.
    """
    blocks = blocks_of(questions, USUAL_BLOCK)
    if len(blocks) < _FEWEST_BLOCKS * shard.count:
        blocks = _passages(questions)
    chosen: set[str] = set()
    start = 0
    for block in blocks:
        # The shard that contains the middle of the block.
        middle = start + len(block) / 2
        if int(middle * shard.count / len(questions)) + 1 == shard.index:
            chosen.update(block)
        start += len(block)
    return tuple(question for question in questions if question.id in chosen)


def _passages(questions: Sequence[Question]) -> list[list[str]]:
    passages: dict[str, list[str]] = {}
    for question in questions:
        passages.setdefault(question.cluster, []).append(question.id)
    return list(passages.values())
