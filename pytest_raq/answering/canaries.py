"""Canary questions: a few that a server is asked again, to see whether it still answers the same.

A server may change some answers by itself, because a batch is computed with whatever else is in
it. So an answer that differs is asked for again, and what differs is compared with what differed
when the answers were made and some questions were asked twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import comb
from typing import TYPE_CHECKING

from pytest_raq.answering.repetition import spread
from pytest_raq.records import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_raq.records import Outcome, Repeats

    Ask = Callable[[Sequence[str]], Iterable[Outcome]]

_TRIES = 2
"""How often a question whose answer differs is asked once more."""

_MORE = 3
"""So many times the canaries are asked if those of a noisy server differ but prove nothing."""

LEVEL = 0.05
"""How likely noise alone may make so many answers differ before it is taken for more."""


@dataclass(frozen=True, slots=True)
class Canaries:
    """What came of asking again: how many questions were compared, and which differ.

    ``differing`` has the new text of each answer that did not come back in any try; ``steady``
    counts those of them that were the same text in all tries. ``problem`` is the first failure.
    """

    compared: int = 0
    differing: Mapping[str, str] = field(default_factory=dict)
    steady: int = 0
    problem: str = ""

    @property
    def differ(self) -> int:
        """How many answers differ."""
        return len(self.differing)


def ask_canaries(known: Mapping[str, str], count: int, ask: Ask, noise: Repeats | None) -> Canaries:
    """Ask some of the questions again whose answers are ``known``: ``count``, or more in doubt."""
    found = _compare(known, spread(list(known), count), ask)
    if found.differ and not is_beyond(found, noise) and len(known) > count:
        found = _compare(known, spread(list(known), count * (1 + _MORE)), ask)
    return found


def _compare(known: Mapping[str, str], names: Sequence[str], ask: Ask) -> Canaries:
    outcomes = list(ask(names)) if names else []
    texts = {o.question_id: o.text for o in outcomes if isinstance(o, Answer)}
    first = {name: texts[name] for name in names if name in texts}
    problem = next((o.reason for o in outcomes if not isinstance(o, Answer)), "")
    said = {name: {text} for name, text in first.items()}
    suspects = [name for name, text in first.items() if text != known[name]]
    for _ in range(_TRIES if suspects else 0):
        for outcome in ask(suspects):
            if isinstance(outcome, Answer):
                said[outcome.question_id].add(outcome.text)
    differing = {name: first[name] for name in suspects if known[name] not in said[name]}
    steady = sum(len(said[name]) == 1 for name in differing)
    return Canaries(len(first), differing, steady, problem)


def is_beyond(found: Canaries, noise: Repeats | None) -> bool:
    """Whether more answers differ than a server changes by itself.

    ``noise`` is what it changed when it was asked twice. If that was nothing, or is not known,
    one answer is enough that is now another one each time. Otherwise the number of answers
    that differ must be unlikely for the share that changed (k + 1 of n + 2, because k of n is
    only an estimate).
    """
    if not found.differ:
        return False
    if (noise is None or not noise.changed) and found.steady:
        return True
    if noise is None:
        return False
    share = (noise.changed + 1) / (noise.asked + 2)
    return _tail(found.compared, found.differ, share) <= LEVEL


def _tail(count: int, least: int, share: float) -> float:
    """Return the probability of ``least`` or more of ``count``, each with probability ``share``."""
    return sum(
        comb(count, number) * share**number * (1 - share) ** (count - number)
        for number in range(least, count + 1)
    )
