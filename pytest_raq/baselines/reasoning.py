"""Accepted answers that earlier versions kept together with the reasoning before them."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_raq.records import count_words, count_words_and_numbers
from pytest_raq.records.reasoning import split_reasoning
from pytest_raq.stats.model_summary import score_answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_raq.records import (
        Baseline,
        BaselineQuestion,
        ModelSummary,
        Question,
        Score,
    )

KEEP = "keep"
"""The setting of a model whose answers are taken with their reasoning."""


def without_reasoning(baseline: Baseline) -> Baseline:
    """Return a baseline whose answers have no reasoning in them.

    Of a model with such answers words are counted again; its exact match and F1, which need
    references, become None until `with_scores`.
    """
    questions: dict[str, BaselineQuestion] = {}
    changed: set[str] = set()
    kept = {
        model
        for model, known in baseline.provenance.models.items()
        if known.options.get("reasoning") == KEEP
    }
    for name, item in baseline.questions.items():
        answers, unfinished = dict(item.answers), list(item.unfinished)
        for model, text in item.answers.items():
            if model in kept or (parts := split_reasoning(text)).text == text:
                continue
            changed.add(model)
            answers[model] = parts.text
            unfinished += [model] if parts.is_open else []
        questions[name] = (
            item
            if answers == item.answers
            else replace(item, answers=answers, unfinished=tuple(unfinished))
        )
    if not changed:
        return baseline
    plain = replace(baseline, questions=questions)
    models = {
        name: _recounted(summary, plain) if name in changed else summary
        for name, summary in baseline.models.items()
    }
    return replace(plain, models=models)


def _recounted(summary: ModelSummary, baseline: Baseline) -> ModelSummary:
    texts = [
        item.answers[summary.model]
        for item in baseline.questions.values()
        if summary.model in item.answers
    ]
    return replace(
        summary,
        exact_match=None,
        f1=None,
        contains=None,
        words=fmean(map(count_words, texts)),
        words_and_numbers=fmean(map(count_words_and_numbers, texts)),
        words_per_second=None,
        unfinished=sum(summary.model in item.unfinished for item in baseline.questions.values()),
    )


def with_scores(baseline: Baseline, questions: Iterable[Question]) -> Baseline:
    """Return a baseline with the figures that it lacks and that its answers give."""
    lacking = [name for name, item in baseline.models.items() if item.contains is None]
    if not lacking:
        return baseline
    known = {question.id: question for question in questions}
    models = {
        **baseline.models,
        **{name: _scored(baseline.models[name], baseline.texts(name), known) for name in lacking},
    }
    return replace(baseline, models=models)


def _scored(
    summary: ModelSummary, texts: Mapping[str, str], questions: Mapping[str, Question]
) -> ModelSummary:
    found = [
        score_answer(text, questions[name]) for name, text in texts.items() if name in questions
    ]
    scores: list[Score] = [item for item in found if item is not None]
    if not scores:
        return summary
    exact_match, f1 = summary.exact_match, summary.f1
    if exact_match is None or f1 is None:
        exact_match = fmean(item.exact_match for item in scores)
        f1 = fmean(item.f1 for item in scores)
    contained = fmean(item.contains for item in scores)
    return replace(summary, exact_match=exact_match, f1=f1, contains=contained)
