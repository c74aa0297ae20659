"""All answers of one model to the questions of a suite."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from pytest_raq.answering.cache import AnswerCache
from pytest_raq.answering.engine_pool import file_size
from pytest_raq.answering.identity import model_options
from pytest_raq.answering.origins import Origins
from pytest_raq.answering.prompts import question_prompt
from pytest_raq.answering.repetition import Repetition
from pytest_raq.answering.stream import NO_ANSWER, AnswerStream
from pytest_raq.records import Answer, EngineInfo, Failure, ModelProvenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_raq.answering.engine_pool import EnginePool
    from pytest_raq.config import ModelDefinition
    from pytest_raq.progress import Progress
    from pytest_raq.records import Outcome, Question
    from pytest_raq.store import Store


_IN_NO_SHARD = "no shard has an answer to this question"


class WorkSharing(Protocol):
    """How the processes of one run share the answers of a model."""

    def obtain(self, wanted: ModelAnswers, /) -> None:
        """Return when everything planned is known here."""

    def put(self, answers: ModelAnswers, outcome: Outcome, /) -> None:
        """Send an outcome to the other processes."""


class ModelAnswers:
    """Pulls the answers of one model, each generated at most once.

    An answer comes from memory, else from the store, else from the engine,
    which then works through all planned questions in order as far as it is
    asked to. ``before`` is called before anything is generated; where it
    raises, that is why there are no answers. With ``sharing`` one process of
    the run works through all of them, and the others wait for its outcomes.
    ``on_answered`` is called when the plan is done, while the model is loaded; ``stream`` is
    how the engine is asked.
    """

    def __init__(
        self,
        model: ModelDefinition,
        questions: Sequence[Question],
        *,
        pool: EnginePool,
        store: Store | None,
        progress: Progress,
        fresh: bool = False,
        before: Callable[[], None] | None = None,
        sharing: WorkSharing | None = None,
        suite: str = "",
    ) -> None:
        self.model = model
        self.sharing_key = (model.name, suite)
        self.file_bytes = file_size(model)
        self._sharing = sharing
        self.questions = {question.id: question for question in questions}
        self.planned = list(self.questions)
        self._pool = pool
        self.cache = AnswerCache(model, store, fresh=fresh)
        self.stream = AnswerStream(
            model,
            self.questions,
            pool=pool,
            progress=progress,
            before=before or (lambda: None),
            on_load=self._remember,
            is_verified=lambda: self.cache.is_verified,
        )
        self.repetition = Repetition(model, self.cache, self.stream.ask_again)
        self._outcomes: dict[str, Outcome] = {}
        self._absorbed: set[str] = set()
        self.origins = Origins()
        self._has_recalled = False
        self.given: ModelProvenance | None = None
        self.on_answered: Callable[[], None] = lambda: None
        self._withheld: list[Outcome] = []

    def take_over(self, provenance: ModelProvenance) -> None:
        """Answer nothing here: the answers come from shards, with this provenance."""
        self.given = provenance

    def plan(self, question_ids: Iterable[str]) -> None:
        """Set which questions will be asked, so that no others are generated."""
        wanted = set(question_ids)
        self.planned = [question_id for question_id in self.questions if question_id in wanted]

    def get(self, question_id: str) -> Outcome:
        """Return the answer to a question, generating it if nobody has."""
        if question_id not in self._outcomes:
            # The plan once, in few reads; later whatever another process may have added.
            planned = () if self._has_recalled else self.planned
            self._has_recalled = True
            self._recall({question_id, *planned})
        if question_id not in self._outcomes and self._sharing is not None:
            self._sharing.obtain(self)
        if question_id not in self._outcomes:
            self._generate(question_id)
        return self._outcomes[question_id]

    def get_all(self) -> dict[str, Outcome]:
        """Return the answers to all questions, in the order of the questions."""
        self.planned = list(self.questions)
        return {question_id: self.get(question_id) for question_id in self.questions}

    def in_hand(self) -> Mapping[str, Outcome]:
        """Return what is known without generating anything: a view, not a copy."""
        return MappingProxyType(self._outcomes)

    @property
    def is_complete(self) -> bool:
        """Whether all planned questions have an outcome in hand."""
        return all(question_id in self._outcomes for question_id in self.planned)

    def answer_plan(self) -> None:
        """Find out everything that is planned, then let go of the engine."""
        self._recall(self.planned)
        for question_id in self.planned:
            if question_id not in self._outcomes:
                self._generate(question_id)
        self._pool.release(self.model)

    def absorb(self, outcomes: Iterable[Outcome]) -> None:
        """Take over outcomes of another process; an answer replaces a failure."""
        for outcome in outcomes:
            known = self._outcomes.get(outcome.question_id)
            if known is None or isinstance(known, Failure):
                self._outcomes[outcome.question_id] = outcome
                self._absorbed.add(outcome.question_id)

    def found_here(self) -> Iterator[Outcome]:
        """Yield the outcomes that came from no other process of this run."""
        return (o for name, o in self._outcomes.items() if name not in self._absorbed)

    def probe(self, question_id: str) -> Outcome:
        """Return a new answer, alone and from a cold prefix; it is not stored."""
        return self.stream.ask_alone(question_id)

    def _generate(self, question_id: str) -> None:
        if self.given is not None:
            self._keep(Failure(question_id, self.model.name, _IN_NO_SHARD))
            return
        if self.stream.is_open:
            self._advance_to(question_id)
        if question_id not in self._outcomes:
            # The stream was planned before this question was wanted, or there is none yet.
            self._recall(self.planned)
            self.stream.open(lambda: self._unanswered(question_id))
            self._advance_to(question_id)
        if question_id not in self._outcomes:
            self._keep(Failure(question_id, self.model.name, NO_ANSWER))
        if self.stream.is_done:
            self.stream.end()
            old = self._absorbed | self.origins.recalled
            self.repetition.measure(
                {
                    name: outcome.text
                    for name, outcome in self._outcomes.items()
                    if isinstance(outcome, Answer) and name not in old
                }
            )
            self.on_answered()
            # With the last outcome the others have all answers, and look for their likelihoods.
            while self._sharing is not None and self._withheld:
                self._sharing.put(self, self._withheld.pop())

    def _advance_to(self, question_id: str) -> None:
        if question_id in self._outcomes:
            return  # the store had it after all
        for outcome in self.stream.outcomes_until(question_id):
            self._keep(outcome)

    def _unanswered(self, question_id: str) -> list[str]:
        """Return what is left of the plan, and a question that may not be planned."""
        wanted = [name for name in self.planned if name not in self._outcomes]
        if question_id not in self._outcomes and question_id not in wanted:
            wanted.insert(0, question_id)
        return wanted

    def _keep(self, outcome: Outcome) -> None:
        if isinstance(self._outcomes.get(outcome.question_id), Answer):
            return  # it was known, and asked again for the sake of its block
        self._outcomes[outcome.question_id] = outcome
        self.stream.count(outcome)
        if self._sharing is not None and self.stream.is_open and self.stream.is_done:
            self._withheld.append(outcome)
        elif self._sharing is not None:
            self._sharing.put(self, outcome)
        if isinstance(outcome, Answer):
            self.origins.generated.add(outcome.question_id)
            self.stream.show_progress()
            question = self.questions[outcome.question_id]
            self.cache.keep(question_prompt(self.model, question), outcome)

    def _recall(self, question_ids: Iterable[str]) -> None:
        if self.given is not None:
            return
        wanted = {
            question_id: question_prompt(self.model, self.questions[question_id])
            for question_id in question_ids
            if question_id not in self._outcomes
        }
        for answer in self.cache.recall(wanted):
            self._outcomes[answer.question_id] = answer
            self.origins.recalled.add(answer.question_id)

    def _remember(self, info: EngineInfo) -> None:
        if self.cache.remember(info):  # other kernels: their own answers are recalled
            for question_id in self.origins.recalled:
                self._outcomes.pop(question_id, None)
            self.origins.recalled.clear()
            self._recall(self.planned)

    @property
    def file_sha256(self) -> str:
        """SHA-256 of the model's file, read once at most."""
        return self.cache.file_sha256

    @property
    def engine_note(self) -> str:
        """What a reader should know of the engine that answered; empty where there is nothing."""
        info = None if self.given is not None else self.cache.engine_info
        return info.note if info else ""

    @property
    def provenance(self) -> ModelProvenance:
        """What answers: the engine is asked only if it was loaded, else the store."""
        if self.given is not None:
            return self.given
        build = self.cache.engine_version if self.model.engine == "llama-cpp" else ""
        info = self.cache.engine_info or EngineInfo(self.model.engine, build)
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
            timed="usual" if self.model.reproducible else "",
        )
