"""A deterministic engine without a model, for tests of whatever uses engines."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_raq.engines.protocol import Closing
from pytest_raq.records import (
    Answer,
    EngineInfo,
    Failure,
    FinishReason,
    Scores,
    Timing,
    count_words_and_numbers,
)
from pytest_raq.records.likelihood import UNAVAILABLE
from pytest_raq.records.reasoning import Parts, split_reasoning
from pytest_raq.text import well_formed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_raq.records import Likelihood, Outcome, Prompt, ScoreOutcome, ScorePrompt

_SECONDS_PER_TOKEN = 0.01
_NO_FAILURES: Mapping[str, str] = MappingProxyType({})


class ScriptedEngine(Closing):
    """Gives prepared answers.

    ``answers`` maps question ids to texts, or makes the text from a prompt;
    ``failures`` maps question ids to the reasons why they fail. A question in
    neither mapping fails too. ``asked`` lists the question ids worked on so
    far, ``closed`` tells whether the engine was closed. ``likelihoods`` gives
    the likelihood of a text after a prompt; without it the engine tells none. With
    ``scores_beside`` it tells them beside answers too; ``scored`` lists the question
    ids that were scored alone. Reasoning at the start of a text is kept apart, as other
    engines do, unless ``splits_reasoning`` is False.
    """

    def __init__(
        self,
        answers: Mapping[str, str] | Callable[[Prompt], str],
        *,
        model: str = "scripted",
        failures: Mapping[str, str] = _NO_FAILURES,
        info: EngineInfo | None = None,
        block_questions: int = 1,
        likelihoods: Callable[[Prompt, str], Likelihood] | None = None,
        splits_reasoning: bool = True,
        scores_beside: bool = False,
    ) -> None:
        self._splits = splits_reasoning
        self.block_questions = block_questions
        self.info = info or EngineInfo("scripted", "1")
        self.asked: list[str] = []
        self.scored: list[str] = []
        self.closed = False
        self._answers = answers
        self._model = model
        self._failures = failures
        self._likelihoods = likelihoods
        self._scores_beside = scores_beside

    def answers(self, prompts: Sequence[Prompt]) -> Iterator[Outcome]:
        """Yield the scripted outcomes in the order of the prompts."""
        for prompt in prompts:
            yield self._answer(prompt)

    def answers_and_scores(self, prompts: Sequence[Prompt]) -> Iterator[Outcome | Scores]:
        """Yield the same outcomes; with ``scores_beside`` the scripted likelihoods after each."""
        by_id = {prompt.question_id: prompt for prompt in prompts}
        for outcome in self.answers(prompts):
            yield outcome
            prompt = by_id[outcome.question_id]
            if self._scores_beside and prompt.beside is not None and isinstance(outcome, Answer):
                found = self._score(prompt, dict.fromkeys([*prompt.beside, outcome.text]))
                yield Scores(prompt.question_id, self._model) if found is None else found

    def scores(self, prompts: Sequence[ScorePrompt]) -> Iterator[ScoreOutcome]:
        """Yield the scripted likelihoods in the order of the prompts."""
        for asked in prompts:
            self.scored.append(asked.question_id)
            found = self._score(asked.prompt, asked.continuations)
            unavailable = Failure(asked.question_id, self._model, UNAVAILABLE)
            yield unavailable if found is None else found

    def _score(self, prompt: Prompt, texts: Iterable[str]) -> Scores | None:
        if self._likelihoods is None:
            return None
        tell, asked = self._likelihoods, list(texts)
        known = {text: tell(prompt, text) for text in asked if text}
        problems: dict[str, str] = {text: "empty" for text in asked if not text}
        return Scores(prompt.question_id, self._model, known, problems)

    def _answer(self, prompt: Prompt) -> Outcome:
        question_id = prompt.question_id
        self.asked.append(question_id)
        reason = self._why_not(question_id)
        if reason:
            return Failure(question_id, self._model, reason)
        text = self._answers(prompt) if callable(self._answers) else self._answers[question_id]
        text = well_formed(text)
        parts = split_reasoning(text) if self._splits else Parts("", text)
        timing = _fake_timing(prompt.text, text, parts.reasoning)
        return Answer(
            question_id,
            self._model,
            parts.text,
            FinishReason.STOP,
            timing,
            parts.reasoning,
            parts.is_open,
        )

    def _why_not(self, question_id: str) -> str:
        if self.closed:
            return "the engine is closed"
        if question_id in self._failures:
            return self._failures[question_id]
        if not callable(self._answers) and question_id not in self._answers:
            return f"no answer is scripted for question {question_id!r}"
        return ""

    def close(self) -> None:
        """Fail whatever is asked from now on."""
        self.closed = True


def _fake_timing(prompt: str, text: str, reasoning: str) -> Timing:
    """Count words as tokens that all take as long, so that equal texts have equal timings."""
    prompt_tokens = max(1, count_words_and_numbers(prompt))
    generated_tokens = max(1, count_words_and_numbers(text))
    prefill_seconds = prompt_tokens * _SECONDS_PER_TOKEN
    decode_seconds = (generated_tokens - 1) * _SECONDS_PER_TOKEN
    thoughts = count_words_and_numbers(reasoning)
    reasoning_seconds = thoughts * _SECONDS_PER_TOKEN
    return Timing(
        prompt_tokens=prompt_tokens,
        prefilled_tokens=prompt_tokens,
        generated_tokens=generated_tokens,
        time_to_first_token=prefill_seconds,
        prefill_seconds=prefill_seconds,
        decode_seconds=decode_seconds,
        total_seconds=prefill_seconds + decode_seconds,
        reasoning_tokens=thoughts,
        reasoning_seconds=reasoning_seconds,
        time_to_first_answer=prefill_seconds + reasoning_seconds if thoughts else 0.0,
    )
