"""Answers as an engine generates them, block by block."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from pytest_raq.answering.prompts import blocks_of, question_prompt
from pytest_raq.errors import RaqError
from pytest_raq.records import Answer, Failure, Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_raq.answering.engine_pool import EnginePool
    from pytest_raq.config import ModelDefinition
    from pytest_raq.engines import Engine
    from pytest_raq.progress import Progress
    from pytest_raq.records import EngineInfo, Outcome, Prompt, Question


class ScoresBeside(Protocol):
    """Wants to know how likely texts are, as soon as a model reads their prompts."""

    def wanted_beside(self, question_ids: Sequence[str], /) -> Mapping[str, tuple[str, ...]]:
        """Return texts of the questions that are scored beside their answers, and with these."""

    def keep_beside(self, scores: Scores, /) -> None:
        """Keep what was found out about a question."""


NO_ANSWER = "the engine stopped without an answer to this question"


class AnswerStream:
    """What an engine generates for the questions of a plan, as far as it is asked to.

    ``before`` is called before anything is generated, ``on_load`` with what a
    loaded engine says of itself; where ``before`` raises a RaqError, or the
    engine cannot be loaded, every question has that failure. A model that
    ``is_verified`` to be reproducible is not tested again when it is loaded.
    """

    def __init__(
        self,
        model: ModelDefinition,
        questions: Mapping[str, Question],
        *,
        pool: EnginePool,
        progress: Progress,
        before: Callable[[], None],
        on_load: Callable[[EngineInfo], None],
        is_verified: Callable[[], bool],
    ) -> None:
        self._model, self._questions = model, questions
        self._pool, self._progress = pool, progress
        self._before, self._on_load = before, on_load
        self._is_verified = is_verified
        self.beside: ScoresBeside | None = None
        self._outcomes: Iterator[Outcome | Scores] | None = None
        self._unscored: set[str] = set()
        self._asked = 0
        self._awaited: set[str] = set()
        self._started = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the engine is at work."""
        return self._outcomes is not None

    @property
    def is_done(self) -> bool:
        """Whether every question that it was opened for has an outcome."""
        return not self._awaited

    def open(self, wanted: Callable[[], list[str]]) -> None:
        """Begin with what is wanted; that may be less once the engine is loaded."""
        names = wanted()
        self._expect(names)
        try:
            self._before()
            if not self._pool.is_open(self._model):
                self._progress.loading(self._model.name)
            engine = self._pool.get(self._model, is_verified=self._is_verified())
        except RaqError as exc:
            reason = str(exc)
            self._outcomes = iter([Failure(name, self._model.name, reason) for name in names])
            return
        self._on_load(engine.info)
        names = wanted()
        self._expect(names)
        self._started = time.monotonic()
        self._progress.answered(self._model.name, 0, self._asked)
        self._outcomes = self._ask(engine, list(self._prompts(engine, names)))

    def _ask(self, engine: Engine, prompts: Sequence[Prompt]) -> Iterator[Outcome | Scores]:
        self._unscored.clear()
        names = [prompt.question_id for prompt in prompts]
        texts = self.beside.wanted_beside(names) if self.beside else {}
        if not texts:
            return iter(engine.answers(prompts))
        asked = [replace(prompt, beside=texts.get(prompt.question_id)) for prompt in prompts]
        return self._note_unscored(engine.answers_and_scores(asked), texts)

    def _note_unscored(
        self, outcomes: Iterable[Outcome | Scores], texts: Mapping[str, tuple[str, ...]]
    ) -> Iterator[Outcome | Scores]:
        for outcome in outcomes:
            if isinstance(outcome, Answer) and outcome.question_id in texts:
                self._unscored.add(outcome.question_id)
            yield outcome

    def _expect(self, names: list[str]) -> None:
        self._asked, self._awaited = len(names), set(names)

    def _prompts(self, engine: Engine, wanted: list[str]) -> Iterator[Prompt]:
        """Yield the prompts of all blocks with a question that is wanted."""
        missing = set(wanted)
        if engine.block_questions == 1:
            blocks: Iterable[list[str]] = ([question_id] for question_id in wanted)
        else:
            # The questions beside it do not matter for a reproducible answer.
            chosen = wanted if self._model.reproducible else list(self._questions)
            blocks = blocks_of([self._questions[name] for name in chosen], engine.block_questions)
        for number, block in enumerate(blocks):
            if not missing.isdisjoint(block):
                for question_id in block:
                    yield replace(self._prompt(question_id), block=number)

    def _prompt(self, question_id: str) -> Prompt:
        return question_prompt(self._model, self._questions[question_id])

    def outcomes_until(self, question_id: str) -> Iterator[Outcome]:
        """Yield outcomes up to that of a question, if it comes at all."""
        for outcome in self._outcomes or ():
            if isinstance(outcome, Scores):
                self._keep_scores(outcome)
                continue
            yield outcome
            if outcome.question_id == question_id:
                return

    def _keep_scores(self, scores: Scores) -> None:
        self._unscored.discard(scores.question_id)
        if self.beside is not None:
            self.beside.keep_beside(scores)

    def _wait_for_scores(self) -> None:
        """Take the scores of the answers so far: the last ones come behind the last answer."""
        while self._unscored:
            outcome = next(self._outcomes or iter(()), None)
            if outcome is None:
                return
            if isinstance(outcome, Scores):
                self._keep_scores(outcome)

    def count(self, outcome: Outcome) -> None:
        """Note that a question has its outcome."""
        self._awaited.discard(outcome.question_id)

    def show_progress(self) -> None:
        """Report how many of the questions are answered."""
        self._progress.answered(self._model.name, self._generated, self._asked)

    @property
    def _generated(self) -> int:
        return self._asked - len(self._awaited)

    def end(self) -> None:
        """Stop working ahead; what is asked for later is generated again."""
        if self.is_done:
            self._wait_for_scores()
        if self._outcomes is not None and self._generated:
            seconds = time.monotonic() - self._started
            self._progress.finished(self._model.name, self._generated, seconds)
        self._outcomes = None

    def ask_again(self, question_ids: Sequence[str]) -> Iterator[Outcome]:
        """Yield new outcomes of questions that were answered; nothing if the engine has ended."""
        self.end()
        if self._pool.is_open(self._model):
            engine = self._pool.get(self._model)
            yield from engine.answers([self._prompt(name) for name in question_ids])

    def ask_alone(self, question_id: str) -> Outcome:
        """Return a new answer, alone and from a cold prefix."""
        self.end()
        try:
            engine = self._pool.get(self._model, is_verified=self._is_verified())
        except RaqError as exc:
            return Failure(question_id, self._model.name, str(exc))
        self._on_load(engine.info)
        missing = Failure(question_id, self._model.name, NO_ANSWER)
        return next(iter(engine.answers([self._prompt(question_id)])), missing)
