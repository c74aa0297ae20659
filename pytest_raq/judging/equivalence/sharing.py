"""How much of a reference an answer shares, and whether its values are others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_raq.judging.equivalence.forms import plain
from pytest_raq.judging.equivalence.mentions import stand
from pytest_raq.judging.equivalence.values import Amount, Date, Match, Number, Time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_raq.judging.equivalence.reading import Token

SHORT = 6
"""Words of a reference that a wrong number makes wrong; a longer one is a text."""


def share(tokens: Sequence[Token], given: Sequence[Token]) -> tuple[float, str]:
    """Return F1 of the words, or characters, that an answer shares, 0 to 1, and its words."""
    expected, answered = Counter(_units(tokens)), Counter(_units(given))
    both = (expected & answered).total()
    total = expected.total()
    noun = "signs" if all(len(token.key) == 1 for token in tokens) else "words"
    # 2/5 and 4/10 are equal, even if their floating-point numbers are not.
    f1 = round(2 * both / ((total + answered.total()) or 1), 9)
    return f1, f"{both} of {total} {noun}"


def _units(tokens: Iterable[Token]) -> Iterator[object]:
    for token in tokens:
        value = token.value
        if value is None:
            word = plain(token.key)
            yield from word if "가" <= word[:1] <= "힣" else (word,)
        elif isinstance(value, Date):
            parts = {"number": value.year, "month": value.month, "day": value.day}
            yield from ((name, float(part)) for name, part in parts.items() if part is not None)
        elif isinstance(value, Number):
            yield "number", value.value
        elif isinstance(value, Amount):
            yield value.options[0]
        else:
            yield "time", value.minutes


def other_value(tokens: Sequence[Token], given: Sequence[Token]) -> str:
    """Return how the values of an answer contradict those of a reference; empty if not."""
    values = [token for token in tokens if token.value is not None]
    if not values or len(tokens) > SHORT:
        return ""
    others = [token for token in given if token.value is not None]
    if not others:
        return "without the number" if tokens[0].value is not None else ""
    if any(stand(one, other) is not Match.OTHER for one in values for other in others):
        return ""
    return f"another {_name(values[0].value)}"


def _name(value: object) -> str:
    if isinstance(value, Date):
        return "date"
    if isinstance(value, Time):
        return "time"
    return "amount" if isinstance(value, Amount) else "number"
