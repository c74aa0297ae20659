"""What a run knows of how repeatable the answers of its models are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.answering.repetition import compare_answers
from pytest_raq.baselines.bits import same_bits
from pytest_raq.records import Answer, Repeatability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.records import ModelProvenance
    from pytest_raq.running.run_parts import RunParts
    from pytest_raq.running.variants import Variants

_SAMPLE = 10
"""Questions that are also asked with the settings of the baseline; where they are answered in
blocks, all questions of the block are compared."""
_NOTHING = Repeatability()


def ask_as_accepted(parts: RunParts, variants: Variants, model: str) -> None:
    """Ask some questions with the settings of the baseline, if these are not today's.

    So the run can say how many answers change for that reason alone.
    """
    answers = parts.answers.of(model)
    if model in parts.repeats.otherwise or parts.problems()[model] or answers.given:
        return
    comparable = parts.comparison.comparable
    before = comparable.provenance.models.get(model) if comparable else None
    other = variants.as_accepted(answers, before) if before else None
    if other is None:
        return
    texts = {name: o.judged_text for name, o in answers.in_hand().items() if isinstance(o, Answer)}
    sample = [name for name in parts.question_ids if name in texts][:_SAMPLE]
    other.plan(sample)
    for name in sample:
        other.get(name)
    found = compare_answers(texts, other.in_hand().values())
    if found.asked:
        parts.repeats.otherwise[model] = found


def repeatability_of(
    parts: RunParts, models: Mapping[str, ModelProvenance]
) -> dict[str, Repeatability]:
    """Return what is known, by model; models of which nothing is known are left out."""
    comparable = parts.comparison.comparable
    before = comparable.provenance.models if comparable else {}
    found = {
        name: Repeatability(
            self_test=now.reproducible,
            same_bits=same_bits(before[name], now) if name in before else "",
            again=parts.repeats.again(parts.answers.of(name)),
            otherwise=parts.repeats.otherwise.get(name),
        )
        for name, now in models.items()
    }
    return {name: item for name, item in found.items() if item != _NOTHING}
