"""How many answers changed when they were asked again in this run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.answering import ModelAnswers
    from pytest_raq.records import Repeats


class SuiteRepeats:
    """How many answers changed in this run: of servers, and with the settings of the baseline."""

    def __init__(self) -> None:
        self._absorbed: dict[str, Repeats] = {}
        self.otherwise: dict[str, Repeats] = {}

    def again(self, answers: ModelAnswers) -> Repeats | None:
        """Return what a server changed when it was asked again; None if that is not known."""
        found, absorbed = answers.repetition.found, self._absorbed.get(answers.model.name)
        if found and absorbed:
            return found + absorbed
        return found or absorbed or answers.repetition.known

    def absorb(self, again: Mapping[str, Repeats], otherwise: Mapping[str, Repeats]) -> None:
        """Take over what another process measured."""
        for model, repeats in again.items():
            known = self._absorbed.get(model)
            self._absorbed[model] = known + repeats if known else repeats
        self.otherwise |= otherwise
