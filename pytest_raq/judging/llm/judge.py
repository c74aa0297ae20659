"""A judge that is an LLM: on an OpenAI-compatible server, or in a local GGUF file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.errors import JudgeError
from pytest_raq.judging.llm.case_ranking import CaseRanking
from pytest_raq.judging.llm.prompt import PROMPT_SHA256
from pytest_raq.judging.llm.scheduler import Budget, RequestScheduler
from pytest_raq.judging.protocol import Case
from pytest_raq.records import JudgeIdentity, Question
from pytest_raq.records.results import LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_raq.config import ModelDefinition
    from pytest_raq.judging.llm.backend import LlmBackend
    from pytest_raq.judging.protocol import NoOrder, Order, Spending

_TRIAL = Case(
    Question("trial", "", "Paris is the capital of France.", "What is its capital?", ("Paris",)),
    ("Lyon", "Paris, of course"),
)
"""The trial request that shows whether, and how, a judge can be asked."""


class LlmJudge:
    """Asks an LLM to rank the texts of each case, as its definition says.

    ``asker`` sends the requests; ``options`` are those of its options that can
    change a verdict, apart from the settings that are read here.
    """

    is_free = False

    def __init__(
        self, definition: ModelDefinition, asker: LlmBackend, options: dict[str, str] | None = None
    ) -> None:
        self._definition, self._asker = definition, asker
        self._settings = definition.judge
        self._budget = Budget(definition.judge, definition.path)
        self._options = options or {}
        self._is_prepared = False
        self._problem = ""

    @property
    def identity(self) -> JudgeIdentity:
        """The name, the prompt, and the options that can change a verdict.

        With what the server refuses of them, once it was asked.
        """
        definition, settings = self._definition, self._settings
        options = {
            "engine": definition.engine,
            "temperature": f"{definition.temperature:g}",
            "seed": str(definition.seed),
            "orders": str(settings.orders),
            "passage": "yes" if settings.passage else "no",
            "max_answer_length": str(settings.max_answer_length),
        }
        if self._asker.left_out:
            options[LEFT_OUT] = ", ".join(self._asker.left_out)
        return JudgeIdentity(definition.name, PROMPT_SHA256, {**options, **self._options})

    @property
    def spending(self) -> Spending:
        """What was spent so far in this run."""
        return self._budget.spending

    @property
    def note(self) -> str:
        """What a reader should know about what runs the LLM."""
        return self._asker.note

    def prepare(self) -> None:
        """Ask one easy question, once; raise JudgeError when there is no reply."""
        if not self._is_prepared:
            self._is_prepared = True
            try:
                self._try()
            except JudgeError as exc:
                self._problem = f"judge {self._definition.name!r}: {exc}"
        if self._problem:
            raise JudgeError(self._problem)

    def _try(self) -> None:
        hearing = CaseRanking(
            _TRIAL, self._settings, seed=0, least_room=self._definition.max_tokens
        )
        trial = hearing.ask(hearing.readings[0])
        replies = self._asker.prepare(trial)
        for reply in replies:
            self._budget.start(0, trial)
            self._budget.settle(0, reply)
        if replies[-1].problem:
            raise JudgeError(replies[-1].problem)

    def close(self) -> None:
        """Close connections and unload the model; a later request opens them again."""
        self._asker.close()

    def order(self, cases: Iterable[Case]) -> Iterator[Order | NoOrder]:
        """Yield one verdict per case, in the order of the cases."""
        self.prepare()
        desk = RequestScheduler(
            self._asker,
            self._budget,
            self._settings,
            seed=self._definition.seed,
            least_room=self._definition.max_tokens,
        )
        try:
            yield from desk.verdicts(cases)
        except JudgeError as exc:
            raise JudgeError(f"judge {self._definition.name!r}: {exc}") from exc
