"""How likely texts are as answers of a model: from memory, the store, or an engine."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Protocol

from pytest_raq.answering.prompts import blocks_of, question_prompt
from pytest_raq.errors import RaqError
from pytest_raq.records import Answer, Failure, ScorePrompt, Scores
from pytest_raq.records.plain import scores_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_raq.answering.engine_pool import EnginePool
    from pytest_raq.answering.model_answers import ModelAnswers
    from pytest_raq.engines import Engine
    from pytest_raq.progress import Progress
    from pytest_raq.records import Likelihood, Question, ScoreOutcome

MOST_REFERENCES = 8
"""Different references of a question that are scored: the first is tested, the others shown."""


class FileSharing(Protocol):
    """How the processes of one run share the scores of a model."""

    def hold_file(self, *name: str) -> AbstractContextManager[Path]:
        """Let this process alone read and write the file of a name."""


def reference_of(question: Question) -> str:
    """Return the reference whose likelihood is tested: the first that is not blank, or ``""``."""
    return next(iter(references_of(question)), "")


def references_of(question: Question) -> list[str]:
    """Return the references that are scored, without repetition."""
    texts = (text.strip() for text in question.references)
    return list(dict.fromkeys(text for text in texts if text))[:MOST_REFERENCES]


class ModelLikelihoods:
    """Pulls how likely texts are as one model's answers, each text scored at most once.

    ``wanted`` names the texts of a question. The model, its questions and the
    keys of the store are those of ``answers``. With ``sharing`` one process of
    the run scores what is missing, the others read its file.
    """

    def __init__(
        self,
        answers: ModelAnswers,
        *,
        pool: EnginePool,
        progress: Progress,
        sharing: FileSharing | None = None,
    ) -> None:
        self.answers = answers
        self.wanted: Callable[[str], Iterable[str]] = lambda _question_id: ()
        self._pool, self._progress, self._sharing = pool, progress, sharing
        self._found: dict[str, Scores] = {}
        self._problem = ""
        self._is_given = self._is_unshared = False

    @property
    def problem(self) -> str:
        """Why nothing could be scored, e.g. by a server that tells no probabilities; or empty."""
        return "" if any(found.texts for found in self._found.values()) else self._problem

    def about(self, question_id: str) -> Mapping[str, Likelihood]:
        """Return what is known about a question, by text."""
        found = self._found.get(question_id)
        return found.texts if found else {}

    @property
    def problems(self) -> dict[str, str]:
        """Why a text of a question could not be scored, by question: the first reason of each."""
        return {
            name: next(iter(found.problems.values()))
            for name, found in self._found.items()
            if found.problems
        }

    def take_over(self) -> None:
        """Score nothing here: the scores come from shards."""
        self._is_given = True

    def wanted_beside(self, question_ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the texts of questions that are not known, for a model that reads the questions.

        With them goes the answer, where there is none yet; of other questions nothing is wanted.
        """
        if self._is_given or self._problem:
            return {}
        self._recall(question_ids)
        missing, known = self._missing(question_ids), self.answers.in_hand()
        return {
            name: missing.get(name, ())
            for name in question_ids
            if name in missing or not isinstance(known.get(name), Answer)
        }

    def keep_beside(self, scores: Scores) -> None:
        """Keep what an engine found out beside an answer."""
        self._keep(scores)
        self._is_unshared = True
        prompt = question_prompt(self.answers.model, self.answers.questions[scores.question_id])
        self.answers.cache.keep_likelihoods(prompt, scores.texts)

    def obtain(self, question_ids: Sequence[str]) -> None:
        """Find out how likely the wanted texts of questions are."""
        if self._is_given or self._problem:
            return
        if self._missing(question_ids):
            self._recall(question_ids)
        is_to_be_shared = self._is_unshared and self._sharing is not None
        if not (self._missing(question_ids) or is_to_be_shared):
            return
        if self._sharing is None:
            self._score(question_ids)
            return
        with self._sharing.hold_file("likelihoods", *self.answers.sharing_key) as path:
            if path.exists():
                self.absorb(map(scores_from, json.loads(path.read_text(encoding="ascii"))))
            if self._missing(question_ids) and not self._problem:
                self._score(question_ids)
                self._is_unshared = True
            if self._is_unshared:
                rows = [asdict(outcome) for outcome in self.export()]
                path.write_text(json.dumps(rows), encoding="ascii")
                self._is_unshared = False

    def export(self) -> list[ScoreOutcome]:
        """Return what is known, for another process of the run."""
        failed = [Failure("", self.answers.model.name, self._problem)] if self._problem else []
        return [*self._found.values(), *failed]

    def absorb(self, outcomes: Iterable[ScoreOutcome]) -> None:
        """Take over what another process found out."""
        for outcome in outcomes:
            self._keep(outcome)

    def _keep(self, outcome: ScoreOutcome) -> None:
        if isinstance(outcome, Failure):
            self._problem = self._problem or outcome.reason
            return
        known = self._found.get(outcome.question_id, Scores(outcome.question_id, outcome.model))
        self._found[outcome.question_id] = replace(
            known,
            texts={**known.texts, **outcome.texts},
            problems={**known.problems, **outcome.problems},
        )

    def _missing(self, question_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return the texts that are still to be scored, by question."""
        missing = {}
        for question_id in question_ids:
            found = self._found.get(question_id)
            known = {*found.texts, *found.problems} if found else set()
            texts = dict.fromkeys(self.wanted(question_id))
            if left := tuple(text for text in texts if text and text not in known):
                missing[question_id] = left
        return missing

    def _recall(self, question_ids: Iterable[str]) -> None:
        name, questions = self.answers.model.name, self.answers.questions
        missing = self._missing(question_ids)
        prompts = {key: question_prompt(self.answers.model, questions[key]) for key in missing}
        wanted = {key: (prompts[key], texts) for key, texts in missing.items()}
        for question_id, texts in self.answers.cache.recall_likelihoods(wanted).items():
            self._keep(Scores(question_id, name, texts))

    def _score(self, question_ids: Sequence[str]) -> None:
        """Let the engine score what is missing; a failure of all of it is told once."""
        model, cache = self.answers.model, self.answers.cache
        try:
            if not self._pool.is_open(model):
                self._progress.loading(model.name)
            engine = self._pool.get(model, is_verified=cache.is_verified)
        except RaqError as exc:
            self._problem = str(exc)
            return
        if cache.remember(engine.info):  # other kernels: what was recalled is not theirs
            self._found.clear()
            self._recall(question_ids)
        prompts = list(self._prompts(engine, self._missing(question_ids)))
        failures = []
        by_id = {asked.question_id: asked.prompt for asked in prompts}
        for outcome in engine.scores(prompts):
            if isinstance(outcome, Failure):
                failures.append(outcome)
            else:
                self._keep(outcome)
                cache.keep_likelihoods(by_id[outcome.question_id], outcome.texts)
        if failures and len(failures) == len(prompts):
            self._keep(failures[0])
        for failure in failures:  # they are not asked again
            texts = self._missing([failure.question_id]).get(failure.question_id, ())
            problems = dict.fromkeys(texts, failure.reason)
            self._keep(Scores(failure.question_id, model.name, problems=problems))

    def _prompts(
        self, engine: Engine, missing: Mapping[str, tuple[str, ...]]
    ) -> Iterator[ScorePrompt]:
        questions = [self.answers.questions[question_id] for question_id in missing]
        size = engine.block_questions
        for number, block in enumerate(blocks_of(questions, size)):
            for question_id in block:
                question = self.answers.questions[question_id]
                prompt = replace(question_prompt(self.answers.model, question), block=number)
                yield ScorePrompt(prompt, missing[question_id])
