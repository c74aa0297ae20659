"""What a test tells of itself: properties of JUnit XML, beginning with ``raq_``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.records import Answer
from pytest_raq.report.properties import property_text
from pytest_raq.stats.squad import score

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_raq.records import Outcome, Question, Verdict

Properties = dict[str, object]


def record_properties(node: pytest.Item, properties: Mapping[str, object]) -> None:
    """Give a test its properties; those that are not known are left out."""
    for name, value in properties.items():
        if (text := property_text(value)) is not None:
            node.user_properties.append((f"raq_{name}", text))


def describe_answer(outcome: Outcome, question: Question) -> Properties:
    """Return what a model said, with exact match, F1 and speed, or why it said nothing."""
    if not isinstance(outcome, Answer):
        return {"failure": outcome.reason}
    scored = score(outcome.text, question.references)
    return {
        "answer": outcome.text,
        "exact_match": scored.exact_match,
        "f1": scored.f1,
        "words_per_second": outcome.words_per_second,
        "decode_tokens_per_second": outcome.timing.decode_tokens_per_second,
    }


def describe_verdict(verdict: Verdict) -> Properties:
    """Return a verdict with its evidence."""
    told: Properties = {
        "model": verdict.model,
        "verdict": verdict.decision.value,
        "reasons": "; ".join(verdict.reasons),
    }
    if (quality := verdict.quality) is not None:
        told |= {
            "net_preference": quality.net_preference,
            "net_preference_low": quality.interval.low,
            "net_preference_high": quality.interval.high,
            "p_value": quality.adjusted_p,
            "worse": quality.worse,
            "better": quality.better,
            "questions": quality.questions,
        }
    return told
