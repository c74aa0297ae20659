"""What a run should say of the reasoning of its models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.files import show_path
from pytest_raq.records import Answer, FinishReason

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.config import ModelDefinition
    from pytest_raq.running.run_parts import RunParts


def reasoning_notes(parts: RunParts) -> Iterator[str]:
    """Yield, for each model, why answers ended inside their reasoning, and which key to set."""
    for name in parts.answers.models:
        known = parts.answers.of(name)
        outcomes = known.in_hand().values()
        answers = [each for each in outcomes if isinstance(each, Answer)]
        yield from notes_of(known.model, answers)


def notes_of(model: ModelDefinition, answers: Sequence[Answer]) -> Iterator[str]:
    """Yield what is to be known of the reasoning in the answers of one model."""
    unfinished = [answer for answer in answers if answer.unfinished]
    if unfinished:
        count = f"{len(unfinished)} of {len(answers)} answers of {model.name}"
        yield (
            f"{count} ended inside their reasoning and count as no answer:"
            f" {_remedy(model, unfinished)}"
        )
    thinking = sum(bool(answer.reasoning) for answer in answers)
    if model.reasoning == "off" and thinking:
        yield (
            f"{thinking} of {len(answers)} answers of {model.name} began with reasoning although"
            ' reasoning = "off": the chat template has no switch of the usual names'
            " (enable_thinking, thinking); set its variable in [template] of"
            f" {show_path(model.path)}, or set max_reasoning_tokens"
        )


def _remedy(model: ModelDefinition, unfinished: Sequence[Answer]) -> str:
    where = show_path(model.path)
    off = f"enable_thinking = false in [template] of {where}, if its chat template has that switch"
    cut = [each for each in unfinished if each.finish_reason is FinishReason.LENGTH]
    if model.engine == "llama-cpp" and any(_fills_context(model, each) for each in cut):
        return (
            f"raise context_length in {where} (now {model.context_length}), which holds prompt,"
            f" reasoning and answer, or set {off}"
        )
    if not cut and model.stop and model.engine == "openai" and model.max_reasoning_tokens is None:
        return (
            f"the server ended them at a stop string; set max_reasoning_tokens in {where}, so that"
            f" stop strings end the answer only, or set {off}"
        )
    if not cut:
        return f"the model stopped there by itself; look at its prompt, or set {off}"
    limit = model.max_reasoning_tokens
    if limit is None:
        said = f"set max_reasoning_tokens in {where}; now reasoning and answer share max_tokens"
        return f"{said} ({model.max_tokens}). Or set {off}"
    return f"raise max_reasoning_tokens in {where} (now {limit}), or set {off}"


def _fills_context(model: ModelDefinition, answer: Answer) -> bool:
    timing = answer.timing
    return timing.prompt_tokens + timing.generated_tokens >= model.context_length
