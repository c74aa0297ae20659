"""What every engine can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.records import EngineInfo, Outcome, Prompt, ScoreOutcome, ScorePrompt, Scores


class Closing(ABC):
    """Something that is closed when its ``with`` block ends."""

    @abstractmethod
    def close(self) -> None:
        """Free what is held; safe to call twice."""

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()


class Engine(Protocol):
    """A loaded model that answers prompts.

    Loading happens when the engine is made; EngineStartError when it fails.
    """

    @property
    def info(self) -> EngineInfo:
        """What runs the model, for the provenance of its answers."""

    @property
    def block_questions(self) -> int:
        """How many prompts should make a block; 1 where each is answered for itself.

        An engine that answers a block together gives the same answers each
        time that it is asked the same block.
        """

    def answers(self, prompts: Sequence[Prompt]) -> Iterator[Outcome]:
        """Yield one outcome for each prompt, in any order, known by its question_id.

        Lazy: a prompt is worked on when the iterator is advanced, and an
        iterator may be left before its end. What goes wrong in the engine is
        a Failure of the questions it concerns; nothing is raised for it.
        """

    def answers_and_scores(self, prompts: Sequence[Prompt]) -> Iterator[Outcome | Scores]:
        """Yield the same answers, and how likely they and the texts ``beside`` a prompt are.

        An engine that reads a prompt once for both yields, after the answer to a
        prompt with ``beside``, its scores; empty ones where it cannot score them there.
        Any other engine yields answers alone: `scores` is asked for the rest.
        """

    def scores(self, prompts: Sequence[ScorePrompt]) -> Iterator[ScoreOutcome]:
        """Yield how likely texts are after each prompt, in any order, as lazily as answers.

        An engine that tells no probabilities yields failures with the reason
        `pytest_raq.records.likelihood.UNAVAILABLE`.
        """

    def close(self) -> None:
        """Free the model; safe to call twice. Prompts asked later fail."""

    def __enter__(self) -> Self:
        """Return the engine itself."""

    def __exit__(self, *exception: object) -> None:
        """Close the engine."""
