"""The answers of all models of a suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_raq.answering.model_answers import ModelAnswers
    from pytest_raq.records import ModelProvenance, Outcome


class SuiteAnswers:
    """What each model of a suite answers, in the order of the suite; pulled when asked for."""

    def __init__(self, by_model: Mapping[str, ModelAnswers]) -> None:
        self._by_model = dict(by_model)

    @property
    def models(self) -> list[str]:
        """The names of the models."""
        return list(self._by_model)

    def of(self, model: str) -> ModelAnswers:
        """Return the answers of one model."""
        return self._by_model[model]

    def plan(self, question_ids: Sequence[str]) -> None:
        """Set which questions all models will be asked."""
        for answers in self._by_model.values():
            answers.plan(question_ids)

    def take_over(self, provenance: Mapping[str, ModelProvenance]) -> None:
        """Answer nothing here: the answers come from shards, with this provenance."""
        for model, answers in self._by_model.items():
            answers.take_over(provenance[model])

    def ask(self, question_id: str) -> None:
        """Ask every model a question."""
        for answers in self._by_model.values():
            answers.get(question_id)

    def ask_all(self) -> None:
        """Ask every model every question."""
        for answers in self._by_model.values():
            answers.get_all()

    def in_hand(self) -> dict[str, Mapping[str, Outcome]]:
        """Return the outcomes that are known, by model and question id: views, not copies."""
        return {model: answers.in_hand() for model, answers in self._by_model.items()}

    def about(self, question_id: str) -> dict[str, Outcome]:
        """Return the outcomes of a question that are known, by model."""
        return {
            model: outcomes[question_id]
            for model, outcomes in self.in_hand().items()
            if question_id in outcomes
        }

    def complete(self, question_ids: Iterable[str]) -> list[str]:
        """Return the questions about which every model has an outcome in hand."""
        known = list(self.in_hand().values())
        return [name for name in question_ids if all(name in outcomes for outcomes in known)]

    @property
    def has_any(self) -> bool:
        """Whether anything is known."""
        return any(self.in_hand().values())

    @property
    def provenance(self) -> dict[str, ModelProvenance]:
        """What answers, by model."""
        return {model: answers.provenance for model, answers in self._by_model.items()}

    @property
    def notes(self) -> list[str]:
        """What a reader should know of the engines that answered."""
        names: dict[str, list[str]] = {}
        for answers in self._by_model.values():
            if answers.engine_note:
                names.setdefault(answers.engine_note, []).append(answers.model.name)
            for note in answers.server.notes:
                names.setdefault(note, []).append(answers.model.name)
        return [f"{', '.join(models)}: {note}" for note, models in names.items()]

    @property
    def from_store(self) -> dict[str, int]:
        """How many answers an earlier run gave, by model."""
        return {
            model: len(answers.origins.stored & answers.in_hand().keys())
            for model, answers in self._by_model.items()
        }

    def found_here(self) -> list[Outcome]:
        """Return the outcomes that came from no other process of this run."""
        return [item for answers in self._by_model.values() for item in answers.found_here()]

    def absorb(self, outcomes: Iterable[Outcome]) -> None:
        """Take over outcomes of another process."""
        known = list(outcomes)
        for model, answers in self._by_model.items():
            answers.absorb(outcome for outcome in known if outcome.model == model)
