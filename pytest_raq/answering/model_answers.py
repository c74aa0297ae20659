"""All answers of one model to the questions of a suite."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from pytest_raq.answering.engine_pool import file_size
from pytest_raq.answering.identity import AnswerIdentity, model_options
from pytest_raq.answering.prompts import blocks_of, question_prompt
from pytest_raq.engines.llamacpp.reproducible import VERIFIED
from pytest_raq.errors import RaqError
from pytest_raq.files import hash_file
from pytest_raq.records import Answer, EngineInfo, Failure, ModelProvenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_raq.answering.engine_pool import EnginePool
    from pytest_raq.config import ModelDefinition
    from pytest_raq.progress import Progress
    from pytest_raq.records import Outcome, Prompt, Question
    from pytest_raq.store import ForgivingStore, Store


UNREADABLE = "unreadable"
"""Stands for the SHA-256 of a model file that cannot be read."""

_NOT_THERE = "none of the shards has an answer to this question"
_FORGOTTEN = "the engine ended without an answer to this question"


def engine_notes(models: Iterable[ModelAnswers]) -> list[str]:
    """Return what a reader should know of the engines that answered, each note once."""
    names: dict[str, list[str]] = {}
    for answers in models:
        if answers.engine_note:
            names.setdefault(answers.engine_note, []).append(answers.model.name)
    return [f"{', '.join(models)}: {note}" for note, models in names.items()]


class WorkSharing(Protocol):
    """How the processes of one run share the answers of a model."""

    def obtain(self, wanted: ModelAnswers, /) -> None:
        """Return when everything planned is known here."""

    def put(self, answers: ModelAnswers, outcome: Outcome, /) -> None:
        """Tell the others what was found out."""


class ModelAnswers:
    """Pulls the answers of one model, each generated at most once.

    An answer that is asked for comes from memory, else from the store, else
    from the engine, which then works through all planned questions in order
    as far as it is asked to. ``before`` is called before anything is
    generated; where it raises, that is why there are no answers. With
    ``sharing`` one process of the run works through all of them, and the
    others wait for what it finds out.
    """

    def __init__(
        self,
        model: ModelDefinition,
        questions: Sequence[Question],
        *,
        pool: EnginePool,
        store: Store | ForgivingStore | None,
        progress: Progress,
        fresh: bool = False,
        before: Callable[[], None] | None = None,
        sharing: WorkSharing | None = None,
        suite: str = "",
    ) -> None:
        self.model = model
        self.sharing_key = (model.name, suite)
        self._sharing = sharing
        self._questions = {question.id: question for question in questions}
        self._plan = list(self._questions)
        self._pool = pool
        self._store = store
        self._progress = progress
        self._fresh = fresh
        self._before = before or (lambda: None)
        self._outcomes: dict[str, Outcome] = {}
        self._absorbed: set[str] = set()
        self._recalled: set[str] = set()
        self._stream: Iterator[Outcome] | None = None
        self._has_recalled = False
        self._asked = 0
        self._awaited: set[str] = set()
        self._started = 0.0
        self._info: EngineInfo | None = None
        self._given: ModelProvenance | None = None
        self._known_identity: AnswerIdentity | None = None

    def take_over(self, provenance: ModelProvenance) -> None:
        """Answer nothing here: what was answered elsewhere, by what this says, is told."""
        self._given = provenance

    def plan(self, question_ids: Iterable[str]) -> None:
        """Say which questions will be asked, so that no others are generated."""
        wanted = set(question_ids)
        self._plan = [question_id for question_id in self._questions if question_id in wanted]

    def get(self, question_id: str) -> Outcome:
        """Return the answer to a question, generating it if nobody has."""
        if question_id not in self._outcomes:
            # The plan once, in few reads; later whatever another process may have added.
            planned = () if self._has_recalled else self._plan
            self._has_recalled = True
            self._recall({question_id, *planned})
        if question_id not in self._outcomes and self._sharing is not None:
            self._sharing.obtain(self)
        if question_id not in self._outcomes:
            self._generate(question_id)
        return self._outcomes[question_id]

    @property
    def file_bytes(self) -> int:
        """Size of the model's file; 0 where there is none."""
        return file_size(self.model)

    @property
    def is_complete(self) -> bool:
        """Whether all planned questions have an outcome in hand."""
        return all(question_id in self._outcomes for question_id in self._plan)

    def answer_plan(self) -> None:
        """Find out everything that is planned, then let go of the engine."""
        self._recall(self._plan)
        for question_id in self._plan:
            if question_id not in self._outcomes:
                self._generate(question_id)
        self._pool.release(self.model)

    def get_all(self) -> dict[str, Outcome]:
        """Return the answers to all questions, in the order of the questions."""
        self._plan = list(self._questions)
        return {question_id: self.get(question_id) for question_id in self._questions}

    def in_hand(self) -> Mapping[str, Outcome]:
        """Return what is known without generating anything: a view, not a copy."""
        return MappingProxyType(self._outcomes)

    def absorb(self, outcomes: Iterable[Outcome]) -> None:
        """Take over what another process found out; an answer beats a failure."""
        for outcome in outcomes:
            known = self._outcomes.get(outcome.question_id)
            if known is None or isinstance(known, Failure):
                self._outcomes[outcome.question_id] = outcome
                self._absorbed.add(outcome.question_id)

    def found_here(self) -> Iterator[Outcome]:
        """Yield what no other process of this run has told."""
        return (o for name, o in self._outcomes.items() if name not in self._absorbed)

    def _generate(self, question_id: str) -> None:
        if self._stream is None:
            self._stream = self._open_stream(question_id)
        self._advance_to(question_id)
        if question_id not in self._outcomes:
            # The stream was planned before this question was wanted.
            self._stream = self._open_stream(question_id)
            self._advance_to(question_id)
        if question_id not in self._outcomes:
            self._keep(Failure(question_id, self.model.name, _FORGOTTEN))
        if not self._awaited:
            self.end_stream()

    def _advance_to(self, question_id: str) -> None:
        assert self._stream is not None
        if question_id in self._outcomes:
            return  # the store had it after all
        for outcome in self._stream:
            self._keep(outcome)
            if outcome.question_id == question_id:
                return

    def _open_stream(self, question_id: str) -> Iterator[Outcome]:
        self._recall(self._plan)
        wanted = self._unanswered(question_id)
        if self._given is not None:
            return iter([Failure(name, self.model.name, _NOT_THERE) for name in wanted])
        self._asked, self._awaited = len(wanted), set(wanted)
        try:
            self._before()
            if not self._pool.is_open(self.model):
                self._progress.loading(self.model.name)
            engine = self._pool.get(self.model, is_verified=self._is_verified)
        except RaqError as exc:
            reason = str(exc)
            return iter([Failure(name, self.model.name, reason) for name in wanted])
        self._remember(engine.info)
        wanted = self._unanswered(question_id)
        self._asked, self._awaited = len(wanted), set(wanted)
        self._started = time.monotonic()
        self._progress.answered(self.model.name, 0, self._asked)
        return iter(engine.answers(list(self._prompts(wanted, engine.block_questions))))

    def _unanswered(self, question_id: str) -> list[str]:
        """Return what is left of the plan, and a question that may not be planned."""
        wanted = [name for name in self._plan if name not in self._outcomes]
        if question_id not in self._outcomes and question_id not in wanted:
            wanted.insert(0, question_id)
        return wanted

    def _prompts(self, wanted: Sequence[str], block_questions: int) -> Iterator[Prompt]:
        """Yield the prompts of all blocks with a question that is wanted."""
        missing = set(wanted)
        if block_questions == 1:
            blocks = [[question_id] for question_id in wanted]
        elif self.model.reproducible:  # what is asked beside a question does not matter
            blocks = blocks_of([self._questions[name] for name in wanted], block_questions)
        else:
            blocks = blocks_of(list(self._questions.values()), block_questions)
        for number, block in enumerate(blocks):
            if not missing.isdisjoint(block):
                for question_id in block:
                    yield replace(self._prompt(self._questions[question_id]), block=number)

    def end_stream(self) -> None:
        """Stop working ahead; what is asked for later is generated anew."""
        if self._stream is not None and self._generated:
            seconds = time.monotonic() - self._started
            self._progress.finished(self.model.name, self._generated, seconds)
        self._stream = None

    def probe(self, question_id: str) -> Outcome:
        """Return a new answer, alone and from a cold prefix; it is not stored."""
        self.end_stream()
        try:
            engine = self._pool.get(self.model, is_verified=self._is_verified)
        except RaqError as exc:
            return Failure(question_id, self.model.name, str(exc))
        self._remember(engine.info)
        missing = Failure(question_id, self.model.name, _FORGOTTEN)
        return next(iter(engine.answers([self._prompt(self._questions[question_id])])), missing)

    def _prompt(self, question: Question) -> Prompt:
        return question_prompt(self.model, question)

    @property
    def _generated(self) -> int:
        """How many of the questions that the stream is there for are answered."""
        return self._asked - len(self._awaited)

    def _keep(self, outcome: Outcome) -> None:
        if isinstance(self._outcomes.get(outcome.question_id), Answer):
            return  # it was known, and asked again for the sake of its block
        self._outcomes[outcome.question_id] = outcome
        self._awaited.discard(outcome.question_id)
        if self._sharing is not None:
            self._sharing.put(self, outcome)
        if isinstance(outcome, Answer):
            self._progress.answered(self.model.name, self._generated, self._asked)
            if self._store is not None and self._is_same_file:
                question = self._questions[outcome.question_id]
                self._store.put_answer(self._key(question), outcome)

    def _recall(self, question_ids: Iterable[str]) -> None:
        if self._store is None or self._fresh or self._given or not self._is_as_defined():
            return
        wanted = {
            question_id: self._key(self._questions[question_id])
            for question_id in question_ids
            if question_id not in self._outcomes
        }
        for answer in self._store.get_answers(wanted, self.model.name):
            self._outcomes[answer.question_id] = answer
            self._recalled.add(answer.question_id)
        for question_id, key in wanted.items():
            if question_id not in self._outcomes:
                self._recall_former(key, question_id)

    def _recall_former(self, key: str, question_id: str) -> None:
        """Take over an answer that an older version kept, under the key of this one."""
        assert self._store is not None
        former = self._identity.former_key(self._prompt(self._questions[question_id]))
        answer = self._store.get_former_answer(former, question_id, self.model.name)
        if answer is not None:
            self._outcomes[question_id] = answer
            self._recalled.add(question_id)
            self._store.put_answer(key, answer)

    def _is_as_defined(self) -> bool:
        """Whether the file is the one of the definition; if not, the engine will say so."""
        expected = self.model.sha256 or self.file_sha256
        return self.file_sha256 == expected != UNREADABLE

    @property
    def _is_same_file(self) -> bool:
        """Whether what was loaded is what was hashed; a file may be replaced in between."""
        loaded = self._info.file_sha256 if self._info else ""
        return loaded in {"", self.file_sha256}

    def _remember(self, info: EngineInfo) -> None:
        self._info = info
        if self._store is not None and self._is_same_file:
            own = self._identify(extra_buffers=info.extra_buffers)
            self._store.put_engine(own.engine_key, info)
            if info.will_recur:  # a later run looks for its answers there at once
                self._store.put_engine(self._identify().engine_key, info)
        if self._identity.extra_buffers != info.extra_buffers:
            self._change_kernels(info)

    def _change_kernels(self, info: EngineInfo) -> None:
        """Forget answers of the kernels that were expected; recall those of the ones that run."""
        self._known_identity = self._identify(extra_buffers=info.extra_buffers)
        for question_id in self._recalled:
            self._outcomes.pop(question_id, None)
        self._recalled.clear()
        self._recall(self._plan)

    @property
    def _is_verified(self) -> bool:
        """Whether this build was seen to answer reproducibly from this file on this processor."""
        known = None if self._fresh or not self.model.reproducible else self._recall_engine()
        return known is not None and known.reproducible == VERIFIED

    def _recall_engine(self) -> EngineInfo | None:
        if self._store is None:
            return None
        known = self._store.get_engine(self._identity.engine_key)
        return known or self._store.get_former_engine(self._identity.former_engine_key)

    def _key(self, question: Question) -> str:
        return self._identity.key(self._prompt(question))

    @property
    def _identity(self) -> AnswerIdentity:
        """What the answers are kept under: of the kernels that ran, or that ran last time."""
        if self._known_identity is None:
            usual = self._identify()
            known = self._store.get_engine(usual.engine_key) if self._store else None
            self._known_identity = (
                usual
                if known is None or known.extra_buffers
                else self._identify(extra_buffers=False)
            )
        return self._known_identity

    def _identify(self, *, extra_buffers: bool = True) -> AnswerIdentity:
        return AnswerIdentity(
            self.model, self.file_sha256, self._digest, extra_buffers=extra_buffers
        )

    @property
    def _digest(self) -> Callable[[Path], str]:
        return hash_file if self._store is None else self._store.file_sha256

    @cached_property
    def file_sha256(self) -> str:
        """SHA-256 of the model's file, read once at most."""
        if self.model.file is None:
            return ""
        try:
            return self._digest(self.model.file_path)
        except OSError:
            return UNREADABLE

    @property
    def engine_note(self) -> str:
        """What a reader should know of the engine that answered; empty where there is nothing."""
        if self._given is None:
            self._info = self._info or self._recall_engine()
        return self._info.note if self._info else ""

    @property
    def provenance(self) -> ModelProvenance:
        """What answers: the engine is asked only if it was loaded, else the store."""
        if self._given is not None:
            return self._given
        self._info = self._info or self._recall_engine()
        build = self._identity.engine_version if self.model.engine == "llama-cpp" else ""
        info = self._info or EngineInfo(self.model.engine, build)
        return ModelProvenance(
            engine=info.engine,
            build=info.build,
            file=self.model.file_path.name if self.model.file else "",
            file_sha256=self.file_sha256,
            quantization=info.quantization,
            prompt_sha256=self.model.prompt_sha256,
            template_sha256=info.template_sha256,
            options=model_options(self.model),
            reproducible=info.reproducible,
            instruction_set=info.instruction_set,
        )
