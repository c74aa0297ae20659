"""The parts of a suite run, and which texts are ranked together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_raq.baselines.comparison import is_same_source
from pytest_raq.gate.strictness import gate_table, laxer_settings
from pytest_raq.records import Answer
from pytest_raq.records.rankings import ACCEPTED, ANCHOR, CANDIDATE
from pytest_raq.running.same_model import same_model_problems

if TYPE_CHECKING:
    from pytest_raq.answering.suite_answers import SuiteAnswers
    from pytest_raq.answering.suite_likelihoods import SuiteLikelihoods
    from pytest_raq.baselines.comparison import BaselineComparison
    from pytest_raq.config import SuiteDefinition
    from pytest_raq.judging.suite_rankings import SuiteRankings
    from pytest_raq.records import Question, QuestionSet
    from pytest_raq.running.repeats import SuiteRepeats
    from pytest_raq.speed.suite_speed import SuiteSpeed


@dataclass(frozen=True)
class RunParts:
    """The parts of a run: each owns its state and does not know the others.

    ``comparison`` compares with the last accepted state, ``anchor`` with the one that
    only a release moves; ``swapped`` names the models that run from something else in this run.
    """

    suite: SuiteDefinition
    questions: QuestionSet
    answers: SuiteAnswers
    comparison: BaselineComparison
    anchor: BaselineComparison
    rankings: SuiteRankings
    speeds: SuiteSpeed
    repeats: SuiteRepeats
    likelihoods: SuiteLikelihoods
    swapped: frozenset[str] = frozenset()

    @cached_property
    def by_id(self) -> dict[str, Question]:
        """The questions by their ids."""
        return {question.id: question for question in self.questions.questions}

    @property
    def question_ids(self) -> list[str]:
        """The ids of all questions, in their order."""
        return [question.id for question in self.questions.questions]

    def problems(self) -> dict[str, str]:
        """Return, by model, why it cannot be compared with the baseline; empty if it can."""
        provenance = self.answers.provenance
        return {model: self.comparison.problem_of(model, provenance[model]) for model in provenance}

    def anchor_problems(self) -> dict[str, str]:
        """Return, by model, why it cannot be compared with the anchor; empty if nothing is wrong.

        Nothing is wrong without an anchor, or where the anchor does not know the model: it was
        then accepted later, for the first time.
        """
        baseline = self.anchor.baseline
        if baseline is None:
            return dict.fromkeys(self.answers.models, self.anchor.problem)
        now = self.answers.provenance
        return {
            model: self.anchor.problem_of(model, now[model]) if model in baseline.models else ""
            for model in now
        }

    def has_own_anchor(self, model: str) -> bool:
        """Whether the anchor has answers of a model that can be compared and differ.

        Only then are there two accepted states to compare with.
        """
        return model in self._anchor_texts

    @cached_property
    def _anchor_texts(self) -> dict[str, dict[str, str]]:
        now, found = self.answers.provenance, {}
        for model, provenance in now.items():
            texts = self.anchor.texts(model, provenance)
            if texts and texts != self.comparison.texts(model, provenance):
                found[model] = texts
        return found

    def forget_anchor(self) -> None:
        """Compare texts again: an accepted state or the provenance has changed."""
        self.__dict__.pop("_anchor_texts", None)

    def laxer(self) -> tuple[str, ...]:
        """Return the settings of the gate that are laxer than those of the accepted state."""
        accepted = self.comparison.baseline
        return laxer_settings(gate_table(self.suite.gate), accepted.gate if accepted else {})

    def unchanged(self) -> frozenset[str]:
        """Return the models that are answered by what answered when they were accepted."""
        baseline = self.comparison.comparable
        before = baseline.provenance.models if baseline else {}
        now = self.answers.provenance
        return frozenset(m for m in now if m in before and is_same_source(before[m], now[m]))

    def accepted_answer(self, model: str, question_id: str) -> str | None:
        """Return the accepted answer of a model, if it can be compared."""
        provenance = self.answers.of(model).provenance
        return self.comparison.accepted_answer(model, question_id, provenance)

    def same_models(self) -> dict[str, str]:
        """Return, by model, why it is no model of its own; models that are stay away."""
        names = (name for name in self.answers.models if name not in self.swapped)
        answers = [self.answers.of(name) for name in names]
        identities = {each.model.name: each.provenance.identity for each in answers}
        return same_model_problems(self.suite, [each.model for each in answers], identities)

    def joint_texts(self, question_id: str) -> dict[str, str]:
        """Return the texts that are ranked together, new and accepted ones, by contestant."""
        texts = {}
        for model, outcome in self.answers.about(question_id).items():
            if isinstance(outcome, Answer):
                texts[CANDIDATE + model] = outcome.judged_text
                accepted = self.accepted_answer(model, question_id)
                if accepted is not None:
                    texts[ACCEPTED + model] = accepted
                if question_id in (anchored := self._anchor_texts.get(model, {})):
                    texts[ANCHOR + model] = anchored[question_id]
        return texts
