"""A judge with scripted verdicts, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.errors import JudgeError
from pytest_raq.judging.protocol import Spending
from pytest_raq.records import JudgeIdentity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_raq.judging.protocol import Case, NoOrder, Order


class ScriptedJudge:
    """Asks a function for each verdict and remembers the cases it saw.

    The function may raise JudgeError, like a judge that cannot continue;
    ``problem`` is why it cannot be asked at all. ``closed`` says whether it
    was closed.
    """

    is_free = False
    note = ""

    def __init__(
        self,
        verdict: Callable[[Case], Order | NoOrder],
        name: str = "scripted",
        *,
        problem: str = "",
    ) -> None:
        self._verdict = verdict
        self._name = name
        self._problem = problem
        self.cases: list[Case] = []
        self.closed = False

    @property
    def identity(self) -> JudgeIdentity:
        """The name alone."""
        return JudgeIdentity(name=self._name)

    @property
    def spending(self) -> Spending:
        """One call for each case."""
        return Spending(calls=len(self.cases))

    def prepare(self) -> None:
        """Raise the problem, if there is one."""
        if self._problem:
            raise JudgeError(self._problem)

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def order(self, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
        """Yield the result of the function for each case."""
        for case in cases:
            self.cases.append(case)
            yield self._verdict(case)
