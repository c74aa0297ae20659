"""The parts of a suite run, and which texts are ranked together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_raq.records import Answer
from pytest_raq.records.rankings import ACCEPTED, CANDIDATE

if TYPE_CHECKING:
    from pytest_raq.answering.suite_answers import SuiteAnswers
    from pytest_raq.answering.suite_likelihoods import SuiteLikelihoods
    from pytest_raq.baselines.comparison import BaselineComparison
    from pytest_raq.config import SuiteDefinition
    from pytest_raq.judging.suite_rankings import SuiteRankings
    from pytest_raq.records import Question, QuestionSet
    from pytest_raq.speed.suite_speed import SuiteSpeed


@dataclass(frozen=True)
class RunParts:
    """The parts of a run: each owns its state and does not know the others."""

    suite: SuiteDefinition
    questions: QuestionSet
    answers: SuiteAnswers
    comparison: BaselineComparison
    rankings: SuiteRankings
    speeds: SuiteSpeed
    likelihoods: SuiteLikelihoods

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

    def accepted_answer(self, model: str, question_id: str) -> str | None:
        """Return the accepted answer of a model, if it can be compared."""
        provenance = self.answers.of(model).provenance
        return self.comparison.accepted_answer(model, question_id, provenance)

    def joint_texts(self, question_id: str) -> dict[str, str]:
        """Return the texts that are ranked together, new and accepted ones, by contestant."""
        texts = {}
        for model, outcome in self.answers.about(question_id).items():
            if isinstance(outcome, Answer):
                texts[CANDIDATE + model] = outcome.text
                accepted = self.accepted_answer(model, question_id)
                if accepted is not None:
                    texts[ACCEPTED + model] = accepted
        return texts
