"""The models of a suite, asked in another way than the suite asks them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_raq.answering import ModelAnswers
    from pytest_raq.config import ModelDefinition
    from pytest_raq.records import ModelProvenance


class Variants:
    """Answers of models under changed settings, each made once.

    ``make`` returns the answers of a definition to the questions of the suite.
    """

    def __init__(self, make: Callable[[ModelDefinition], ModelAnswers]) -> None:
        self._make = make
        self._made: dict[str, ModelAnswers] = {}

    def fastest(self, answers: ModelAnswers) -> ModelAnswers:
        """Return a model with the fastest kernels of its engine, for measuring its speed.

        Reproducible answers need other kernels than the ones that serve users.
        """
        if not answers.model.reproducible:
            return answers
        return self._of(answers, "fastest", reproducible=False)

    def as_accepted(self, answers: ModelAnswers, before: ModelProvenance) -> ModelAnswers | None:
        """Return a model with the settings of its baseline that can change bits.

        None if they are today's, or if the model is run by a server.
        """
        model = answers.model
        if model.engine != "llama-cpp" or before.engine != model.engine:
            return None
        now: dict[str, object] = {"reproducible": model.reproducible}
        then: dict[str, object] = {"reproducible": bool(before.reproducible)}
        if not before.reproducible:  # a reproducible answer depends on nothing else
            then |= {
                "parallel": before.options.get("parallel"),
                "threads": before.options.get("threads") or None,
            }
            now |= {"parallel": model.parallel, "threads": model.threads}
        return None if then == now else self._of(answers, "as accepted", **then)

    def _of(self, answers: ModelAnswers, way: str, **changes: object) -> ModelAnswers:
        name = f"{answers.model.name} ({way})"
        if name not in self._made:
            model = answers.model.model_copy(update={"name": name, **changes})
            self._made[name] = self._make(model)
        return self._made[name]
