"""How much of a reference an answer shares, and whether its values are others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.judging.equivalence.mentions import stand
from pytest_raq.judging.equivalence.values import Amount, Date, Match, Time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.judging.equivalence.reading import Reading, Token

SHORT = 6
"""Words of a reference that a wrong number makes wrong; a longer one is a text."""


COUNT = 2
"""Words of a reference that is a number and what it counts: nothing without the number."""


def share(expected: Reading, answer: Reading) -> tuple[float, str]:
    """Return F1 of the words, or signs, that an answer shares, 0 to 1, and how many they are."""
    both = sum(
        min(count, answer.units[unit])
        for unit, count in expected.units.items()
        if unit in answer.units
    )
    total = expected.units.total()
    noun = "signs" if all(len(token.key) == 1 for token in expected.tokens) else "words"
    # 2/5 and 4/10 are equal, even if their floating-point numbers are not.
    f1 = round(2 * both / ((total + answer.units.total()) or 1), 9)
    return f1, f"{both} of {total} {noun}"


def other_value(tokens: Sequence[Token], given: Sequence[Token]) -> str:
    """Return how the values of an answer contradict those of a reference; empty if not."""
    values = [token for token in tokens if token.value is not None]
    if not values or len(tokens) > SHORT:
        return ""
    others = [token for token in given if token.value is not None]
    if not others:
        leads = tokens[0].value is not None and len(tokens) <= COUNT
        return "without the number" if leads else ""
    if any(stand(one, other) is not Match.OTHER for one in values for other in others):
        return ""
    return f"another {_name(values[0].value)}"


def _name(value: object) -> str:
    if isinstance(value, Date):
        return "date"
    if isinstance(value, Time):
        return "time"
    return "amount" if isinstance(value, Amount) else "number"
