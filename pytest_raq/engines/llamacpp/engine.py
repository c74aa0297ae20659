"""The llama.cpp engine: a model in a worker process, asked blocks of questions."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.engines.llamacpp.model_file import verify_model_file
from pytest_raq.engines.llamacpp.recovery import is_fault, recovery_note, tell_deaths
from pytest_raq.engines.llamacpp.worker_client import WorkerClient
from pytest_raq.engines.protocol import Closing
from pytest_raq.errors import EngineCrashError, EngineDiedError, EngineError, EngineStartError
from pytest_raq.records import Answer, Failure, Prompt, Scores
from pytest_raq.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_raq.config import ModelDefinition
    from pytest_raq.records import EngineInfo, Outcome, ScoreOutcome, ScorePrompt

    Asked = Prompt | ScorePrompt
    Block = tuple[Asked, ...]
    Found = Outcome | Scores

_WORKER = Path(__file__).with_name("worker") / "main.py"

DEFAULT_PARALLEL = 16
"""Sequences: batches of fewer tokens cost llama.cpp nearly as much time."""

BLOCKS_OF_PARALLEL = 2
"""How often a block fills all sequences: the longer, the fewer are empty at its end."""

REPRODUCIBLE_BLOCKS = 8
"""The same where no answer depends on its block: it may be longer."""

MOST_CRASHES = 3
"""Questions that may end the worker one after the other before the model is given up."""


class LlamaCppEngine(Closing):
    """A GGUF file under llama.cpp in a process of its own.

    Prompts of one ``block`` are answered together, and nothing else with them.
    When the process dies, the block is asked once more in a new one; when that
    dies too, or one hangs or writes nonsense, each question that was in flight
    is asked alone, and one that ends the worker again fails with the reason.
    A process that a signal ends while it loads is started once more with
    llama.cpp's extra buffer types off; ``info`` then says so. A ``reproducible``
    model never has them, and its answers do not depend on their block; one that
    ``is_verified`` is not tried again.
    ConfigError and EngineStartError, on one line, when the file is not what the
    definition says or does not load.
    """

    def __init__(
        self,
        definition: ModelDefinition,
        python: Path | None = None,
        digest: Callable[[Path], str] | None = None,
        *,
        is_verified: bool = False,
    ) -> None:
        self._definition = definition
        self._is_verified = is_verified
        self._command = [str(python or sys.executable), str(_WORKER)]
        self._parallel = definition.parallel or DEFAULT_PARALLEL
        self._crashes = 0
        self._ended = ""
        self._scores_beside = True
        self._file_sha256 = verify_model_file(definition, digest)
        self._extra_buffers = True
        self._worker, self.info = self._start()

    def _start(self) -> tuple[WorkerClient, EngineInfo]:
        """Load the model: if that kills the worker, once more with the simplest kernels."""
        try:
            worker = self._converse()
        except EngineDiedError as exc:
            first = exc
        else:
            return worker, worker.info
        # A reproducible model has none of them in any case.
        self._extra_buffers = self._definition.reproducible
        python = Path(self._command[0])
        try:
            worker = self._converse()
        except EngineDiedError as exc:
            told = tell_deaths(exc, python)
            raise EngineStartError(f"{self._definition.file_path}: {told}") from exc
        if self._definition.reproducible:
            return worker, worker.info
        note, recurs = recovery_note(first, python), is_fault(first)
        return worker, replace(worker.info, note=note, will_recur=recurs)

    def _converse(self) -> WorkerClient:
        return WorkerClient(
            self._command,
            self._definition,
            self._parallel,
            self._file_sha256,
            extra_buffers=self._extra_buffers,
            is_verified=self._is_verified,
        )

    @property
    def worker_pid(self) -> int:
        """The process id of the worker."""
        return self._worker.pid

    @property
    def block_questions(self) -> int:
        """How many questions make a block."""
        times = REPRODUCIBLE_BLOCKS if self._definition.reproducible else BLOCKS_OF_PARALLEL
        return times * self._parallel if self._parallel > 1 else 1

    def answers(self, prompts: Sequence[Prompt]) -> Iterator[Outcome]:
        """Yield the answers block by block, those of a block as they are finished.

        While a block is read the worker may already work on the next one.
        """
        for outcome in self._outcomes([replace(prompt, beside=None) for prompt in prompts]):
            assert not isinstance(outcome, Scores)
            yield outcome

    def answers_and_scores(self, prompts: Sequence[Prompt]) -> Iterator[Outcome | Scores]:
        """Yield answers in the same way, and after each how likely it is, with texts beside it.

        The answers are the same bits as without: what is scored has a cache of its own. Scores
        that would cost an answer, because they end the worker, are not tried again here.
        """
        return self._outcomes(prompts)

    def scores(self, prompts: Sequence[ScorePrompt]) -> Iterator[ScoreOutcome]:
        """Yield how likely continuations are, block by block."""
        for outcome in self._outcomes(prompts):
            assert not isinstance(outcome, Answer)
            yield outcome

    def _outcomes(self, asked: Sequence[Asked]) -> Iterator[Found]:
        blocks = [tuple(group) for _, group in groupby(asked, key=lambda each: each.block)]
        epoch = self._worker.begin()
        try:
            for index, block in enumerate(blocks):
                yield from self._work_on(block, blocks[index + 1 : index + 2])
        finally:
            # Left before its end: what is in flight is not wanted any more.
            if epoch == self._worker.epoch:
                self._worker.begin()

    def _work_on(self, block: Block, following: list[Block]) -> Iterator[Found]:
        waiting = {prompt.question_id: prompt for prompt in block}
        if self._scores_beside and any(map(_is_scored_beside, block)):
            try:
                yield from self._ask(block, waiting, following)
            except EngineError:
                # Scores must cost no answer: from here on as in a run without them.
                self._scores_beside = False
            else:
                return
        if not self._scores_beside:
            block, *following = map(_without_scores, (block, *following))
            waiting = {
                prompt.question_id: prompt for prompt in block if prompt.question_id in waiting
            }
        try:
            yield from self._ask(block, waiting, following)
        except EngineDiedError:
            # An end that had nothing to do with the questions must not change an answer:
            # asked together again they are answered as in a run without it.
            try:
                yield from self._ask(block, waiting)
            except EngineError:
                yield from self._ask_alone(waiting)
        except EngineError:
            yield from self._ask_alone(waiting)

    def _ask(
        self,
        block: Block,
        waiting: dict[str, Asked],
        following: Sequence[Block] = (),
    ) -> Iterator[Found]:
        """Yield what is found out, and take it from what is ``waiting``; EngineError at an end."""
        if self._ended:
            raise EngineError(self._ended)
        if self._worker.is_closed:
            self._restart()
        for outcome in self._worker.ask(block, following):
            is_beside = isinstance(outcome, Scores) and isinstance(block[0], Prompt)
            if waiting.pop(outcome.question_id, None) or is_beside:
                yield outcome

    def _restart(self) -> None:
        try:
            # Not with other kernels: the answers of a run come from the same ones.
            self._is_verified = True  # or found not to be, which was told
            self._worker = self._converse()
        except EngineError as exc:
            end = self._worker.end or "the llama.cpp worker ended"
            self._ended = f"{end} and does not start again: {exc}"
            raise
        if self._ended:  # closed by another thread meanwhile: nobody would end the new one
            self._worker.close()
            raise EngineError(self._ended)

    def _ask_alone(self, waiting: dict[str, Asked]) -> Iterator[Found]:
        """Find out which question it is that cannot be answered."""
        for prompt in list(waiting.values()):
            if self._ended:
                yield self._failure(prompt, f"not asked, because {self._ended}")
                continue
            try:
                yield from self._ask((prompt,), waiting)
                self._crashes = 0
            except EngineError as exc:
                yield self._failure(prompt, self._tell(exc, prompt))

    def _tell(self, exc: EngineError, prompt: Asked) -> str:
        """Return why a question failed alone; too many of them end the engine."""
        if self._ended:
            return f"not asked, because {self._ended}"
        if not isinstance(exc, EngineCrashError):
            return str(exc)
        self._crashes += 1
        if self._crashes >= MOST_CRASHES:
            self._ended = f"{exc} at each of {self._crashes} questions that were asked alone"
        return f"{exc} at question {prompt.question_id!r}; {self._worker.last_words}"

    def _failure(self, prompt: Asked, reason: str) -> Failure:
        return Failure(prompt.question_id, self._definition.name, one_line(reason, 2_000))

    def close(self) -> None:
        """End the worker, within seconds; safe to call twice."""
        self._ended = self._ended or "the engine is closed"
        self._worker.close()


def _is_scored_beside(asked: Asked) -> bool:
    return isinstance(asked, Prompt) and asked.beside is not None


def _without_scores(block: Block) -> Block:
    return tuple(
        replace(asked, beside=None) if isinstance(asked, Prompt) else asked for asked in block
    )
