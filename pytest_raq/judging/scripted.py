"""A judge that does as it is told, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.records import JudgeIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_raq.judging.protocol import Case, NoOrder, Order


class ScriptedJudge:
    """Asks a function for each verdict and remembers the cases it saw.

    The function may raise JudgeError, as a judge does that cannot go on.
    """

    is_free = False

    def __init__(self, verdict: Callable[[Case], Order | NoOrder], name: str = "scripted") -> None:
        self._verdict = verdict
        self._name = name
        self.cases: list[Case] = []

    @property
    def identity(self) -> JudgeIdentity:
        """The name alone."""
        return JudgeIdentity(name=self._name)

    def order(self, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
        """Yield what the function says of each case."""
        for case in cases:
            self.cases.append(case)
            yield self._verdict(case)
