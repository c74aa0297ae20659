"""Asks a server some questions again, to see how many of its answers change by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.records import Answer, Repeats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_raq.answering.cache import AnswerCache
    from pytest_raq.config import ModelDefinition
    from pytest_raq.records import Outcome

_SHARE = 4
"""At most one question in so many is asked again: small runs should stay cheap."""


def compare_answers(known: Mapping[str, str], outcomes: Iterable[Outcome]) -> Repeats:
    """Compare new outcomes with known texts by question id; failures are not counted."""
    pairs = [
        (known[outcome.question_id], outcome.text)
        for outcome in outcomes
        if isinstance(outcome, Answer) and outcome.question_id in known
    ]
    return Repeats(len(pairs), sum(before != now for before, now in pairs))


def spread(names: Sequence[str], count: int) -> list[str]:
    """Return ``count`` names, at most all, in their order and evenly spread."""
    count = min(count, len(names))
    return [names[place * len(names) // count] for place in range(count)]


class Repetition:
    """Measures once in a run how many answers of a server change when it is asked again.

    Only a server that answers greedily is measured: llama.cpp in our own worker
    answers a block of questions in the same way each time. ``ask`` returns new
    outcomes of questions. ``found`` is what this process measured.
    """

    def __init__(
        self,
        model: ModelDefinition,
        cache: AnswerCache,
        ask: Callable[[Sequence[str]], Iterable[Outcome]],
    ) -> None:
        server = model.openai if model.engine == "openai" and model.temperature == 0 else None
        self._wanted = server.ask_again if server else 0
        self._cache = cache
        self._ask = ask
        self.found: Repeats | None = None

    @property
    def known(self) -> Repeats | None:
        """What was measured here, or else when the stored answers were made."""
        return self.found or (self._cache.repeats if self._wanted else None)

    def measure(self, texts: Mapping[str, str]) -> None:
        """Ask some of these questions again, whose answers were made in this run."""
        names = spread(list(texts), min(self._wanted, len(texts) // _SHARE))
        if self.found is None and names:
            found = compare_answers(texts, self._ask(names))
            if found.asked:
                self.found = found
                self._cache.keep_repeats(found)
