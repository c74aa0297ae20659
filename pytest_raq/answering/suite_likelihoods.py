"""How likely texts are for all models of a suite."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_raq.records.likelihood import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_raq.answering.likelihoods import ModelLikelihoods
    from pytest_raq.records import Likelihood, ScoreOutcome

DECIMALS = 6
"""Decimals of bits per byte: a baseline has no more, and what is the same must look so."""


class SuiteLikelihoods:
    """The likelihoods of all models of a suite; empty where the suite wants none."""

    def __init__(self, by_model: Mapping[str, ModelLikelihoods]) -> None:
        self._by_model = dict(by_model)

    def connect(self, wanted: Callable[[str, str], Iterable[str]]) -> None:
        """Score what is ``wanted`` of a model and a question: with its answer, or right after."""
        for model, likelihoods in self._by_model.items():
            likelihoods.wanted = partial(wanted, model)
            likelihoods.answers.on_answered = partial(self._score_planned, model)
            likelihoods.answers.stream.beside = likelihoods

    def _score_planned(self, model: str) -> None:
        self._by_model[model].obtain(self._by_model[model].answers.planned)

    def obtain(self, question_ids: Sequence[str]) -> None:
        """Find out how likely the texts of questions are, for all models."""
        for likelihoods in self._by_model.values():
            likelihoods.obtain(question_ids)

    def take_over(self) -> None:
        """Score nothing here: the scores come from shards."""
        for likelihoods in self._by_model.values():
            likelihoods.take_over()

    def of(self, model: str) -> ModelLikelihoods:
        """Return the likelihoods of one model."""
        return self._by_model[model]

    def about(self, model: str, question_id: str) -> Mapping[str, Likelihood]:
        """Return what is known of a question, by text."""
        found = self._by_model.get(model)
        return found.about(question_id) if found else {}

    def bits(self, model: str, texts: Mapping[str, str]) -> dict[str, float]:
        """Return the bits per byte of one text for each question, as a baseline keeps them."""
        found = {name: self.about(model, name).get(text) for name, text in texts.items()}
        return {
            name: round(each.bits_per_byte, DECIMALS)
            for name, each in found.items()
            if each is not None
        }

    def export(self) -> list[ScoreOutcome]:
        """Return what is known, for another process of the run."""
        return [outcome for each in self._by_model.values() for outcome in each.export()]

    def absorb(self, outcomes: Iterable[ScoreOutcome]) -> None:
        """Take over what another process found out."""
        known = list(outcomes)
        for model, likelihoods in self._by_model.items():
            likelihoods.absorb(outcome for outcome in known if outcome.model == model)

    def notes(self, *, is_asked: bool) -> Iterator[str]:
        """Yield why the references of a model have no likelihood.

        That an engine tells no probabilities is told where somebody asked for them.
        """
        for model, likelihoods in self._by_model.items():
            if likelihoods.problem == UNAVAILABLE:
                if is_asked:
                    yield f"{model}: the likelihood of the references is {UNAVAILABLE}"
            elif likelihoods.problem:
                yield f"{model}: no likelihood of the references: {likelihoods.problem}"
            elif problems := likelihoods.problems:
                name, reason = next(iter(problems.items()))
                count = f"{len(problems)} question{'s' * (len(problems) != 1)}"
                yield f"{model}: texts of {count} have no likelihood, the first of {name}: {reason}"
