"""Which texts of a run are scored, and what their likelihood shows."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from pytest_raq.answering.likelihoods import reference_of, references_of
from pytest_raq.answering.suite_likelihoods import DECIMALS
from pytest_raq.gate.likelihood import TruthEvidence
from pytest_raq.records import Answer, Drift
from pytest_raq.records.likelihood import ANSWER, REFERENCE
from pytest_raq.records.reasoning import shown_text
from pytest_raq.stats.likelihood import likelihood_evidence

_ANCHOR = "anchor:"
"""Names a test against the anchor, beside the models' tests against the baseline."""

if TYPE_CHECKING:
    from pytest_raq.records import Baseline
    from pytest_raq.running.run_parts import RunParts


def texts_to_score(parts: RunParts, model: str, question_id: str) -> list[str]:
    """Return the references of a question, the accepted answer of a model, and its new one."""
    texts = references_of(parts.by_id[question_id])
    accepted = parts.accepted_answer(model, question_id)
    today = parts.answers.of(model).in_hand().get(question_id)
    answers = [shown_text(accepted or ""), today.text if isinstance(today, Answer) else ""]
    return [text for text in dict.fromkeys([*texts, *answers]) if text]


def expected_scores(parts: RunParts) -> int:
    """Return how many questions should have a likelihood: those with a reference, at least half."""
    questions = parts.questions.questions
    return max(sum(bool(reference_of(item)) for item in questions), -(-len(questions) // 2))


def reference_bits(parts: RunParts, model: str) -> dict[str, float]:
    """Return the bits per byte of the first reference for each question."""
    texts = {question.id: reference_of(question) for question in parts.questions.questions}
    return parts.likelihoods.bits(model, texts)


def answer_bits(parts: RunParts, model: str) -> dict[str, float]:
    """Return the bits per byte of the new answer for each question."""
    outcomes = parts.answers.of(model).in_hand()
    texts = {name: each.text for name, each in outcomes.items() if isinstance(each, Answer)}
    return parts.likelihoods.bits(model, texts)


def baseline_figures(parts: RunParts) -> dict[str, dict[str, dict[str, float]]]:
    """Return what a baseline keeps, bits per byte by measure, model and question."""
    parts.likelihoods.obtain(parts.question_ids)
    models = parts.answers.models
    return {
        REFERENCE: {model: reference_bits(parts, model) for model in models},
        ANSWER: {model: answer_bits(parts, model) for model in models},
    }


def accepted_bits(parts: RunParts, model: str, measure: str = REFERENCE) -> dict[str, float]:
    """Return a figure of the baseline for each question; nothing where none can be compared."""
    baseline = parts.comparison.comparable
    if baseline is None or parts.problems().get(model):
        return {}
    return _figures(baseline, model, measure)


def _anchor_bits(parts: RunParts, model: str) -> dict[str, float] | None:
    """Return the bits per byte of references in the anchor; None where nothing is another."""
    anchor = parts.anchor.comparable
    if anchor is None or parts.anchor_problems().get(model) or model not in anchor.models:
        return None
    found = _figures(anchor, model, REFERENCE)
    is_same = not parts.has_own_anchor(model) and found == accepted_bits(parts, model)
    return None if is_same else found


def _figures(baseline: Baseline, model: str, measure: str) -> dict[str, float]:
    found = {name: each.likelihood.get(measure, {}) for name, each in baseline.questions.items()}
    return {name: bits[model] for name, bits in found.items() if model in bits}


def suite_evidence(parts: RunParts) -> dict[str, TruthEvidence]:
    """Return the likelihood tests of each model; Holm's correction is over all of them."""
    models, gate = parts.answers.models, parts.suite.gate
    anchors = {model: _anchor_bits(parts, model) for model in models}
    now = {model: reference_bits(parts, model) for model in models}
    found = likelihood_evidence(
        {**now, **{_ANCHOR + model: bits for model, bits in now.items()}},
        {
            **{model: accepted_bits(parts, model) for model in models},
            **{_ANCHOR + model: bits or {} for model, bits in anchors.items()},
        },
        {question.id: question.cluster for question in parts.questions.questions},
        drifts={model: _drift(parts, model) for model in models},
        level=1 - 2 * gate.pass_level,
        alpha=gate.alpha,
        seed=parts.suite.dataset.seed,
    )
    return {
        model: TruthEvidence(
            found.get(model),
            found.get(_ANCHOR + model),
            lacks_anchor=anchors[model] is not None and _ANCHOR + model not in found,
        )
        for model in models
    }


def _drift(parts: RunParts, model: str) -> Drift | None:
    """Return how today's model reads the accepted answers; None where nothing is known."""
    before = accepted_bits(parts, model, ANSWER)
    found = {
        question_id: known
        for question_id in parts.by_id
        if (text := parts.accepted_answer(model, question_id))
        and (known := parts.likelihoods.about(model, question_id).get(text))
    }
    if not found:
        return None
    now = {name: round(each.bits_per_byte, DECIMALS) for name, each in found.items()}
    changes = [now[name] - before[name] for name in now if name in before]
    tokens = sum(len(each.greedy) for each in found.values())
    return Drift(
        questions=len(found),
        bits_per_byte=fmean(now.values()),
        difference=fmean(changes) if changes else float("nan"),
        flips=sum(each.flips for each in found.values()) / tokens if tokens else float("nan"),
    )
