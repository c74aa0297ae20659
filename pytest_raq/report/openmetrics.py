"""A run as OpenMetrics text, for a dashboard.

The format is that of the OpenMetrics specification 1.0: one family after the
other, each with its type and what it means, ``# EOF`` at the end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_raq.records import SuiteResult

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class _Gauge:
    """A family with one sample a suite and model; ``field`` is that of a `ModelSummary`."""

    name: str
    field: str
    text: str
    unit: str = ""


_GAUGES = (
    _Gauge("raq_answered", "answered", "Questions that the model answered."),
    _Gauge("raq_failed", "failed", "Questions without an answer."),
    _Gauge("raq_mean_rank", "mean_rank", "Mean of the mid-ranks, 1 is best."),
    _Gauge("raq_exact_match", "exact_match", "SQuAD exact match, a share from 0 to 1."),
    _Gauge("raq_f1", "f1", "SQuAD F1, a share from 0 to 1."),
    _Gauge("raq_contains", "contains", "Share of answers that contain a reference."),
    _Gauge(
        "raq_reference_bits_per_byte", "reference_bits_per_byte",
        "Mean of -log2 p of the first reference per byte.",
    ),
    _Gauge("raq_words", "words", "Words per answer."),
    _Gauge("raq_words_per_second", "words_per_second", "Words per second of a whole call."),
    _Gauge(
        "raq_decode_tokens_per_second", "decode_tokens_per_second", "Tokens decoded per second."
    ),
    _Gauge(
        "raq_prefill_tokens_per_second",
        "prefill_tokens_per_second",
        "Tokens of the prompt read per second.",
    ),
    _Gauge(
        "raq_time_to_first_token_seconds", "time_to_first_token", "Time to the first token.",
        "seconds",
    ),
    _Gauge("raq_reasoning_tokens", "reasoning_tokens", "Tokens of reasoning before an answer."),
    _Gauge(
        "raq_reasoning_seconds", "reasoning_seconds", "Seconds of reasoning before an answer.",
        "seconds",
    ),
    _Gauge(
        "raq_time_to_first_answer_seconds", "time_to_first_answer",
        "Time to the first token of the answer, where reasoning comes before it.", "seconds",
    ),
    _Gauge("raq_unfinished", "unfinished", "Answers that ended inside their reasoning."),
)  # fmt: skip


def run_metrics(results: Sequence[SuiteResult], *, time: float) -> str:
    """Return suites as OpenMetrics text; ``time`` is when the run ended, seconds since 1970.

    What was not measured has no sample.
    """
    lines = [
        *_family("raq_run_timestamp_seconds", "gauge", "When the run ended.", "seconds"),
        *(
            _sample("raq_run_timestamp_seconds", {"suite": result.suite}, round(time, 3))
            for result in results
        ),
        *_family("raq_questions", "gauge", "Questions of the suite."),
        *(
            _sample("raq_questions", {"suite": result.suite}, len(result.questions))
            for result in results
        ),
    ]
    for gauge in _GAUGES:
        lines += _gauge(gauge, results)
    lines += _quality(results)
    lines += _verdicts(results)
    lines += _models(results)
    return "\n".join([*lines, "# EOF"]) + "\n"


def _family(name: str, kind: str, text: str, unit: str = "") -> Iterator[str]:
    yield f"# TYPE {name} {kind}"
    if unit:
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {_escape(text)}"


def _gauge(gauge: _Gauge, results: Sequence[SuiteResult]) -> list[str]:
    samples = [
        _sample(gauge.name, {"suite": result.suite, "model": name}, value)
        for result in results
        for name, model in result.models.items()
        if (value := getattr(model, gauge.field)) is not None and math.isfinite(value)
    ]
    return [*_family(gauge.name, "gauge", gauge.text, gauge.unit), *samples] if samples else []


def _quality(results: Sequence[SuiteResult]) -> Iterator[str]:
    families = (
        ("raq_net_preference", "quality", "net_preference",
         "Net preference over the accepted answers."),
        ("raq_p_value", "quality", "adjusted_p",
         "One-sided p-value of a loss, corrected by Holm."),
        ("raq_anchor_net_preference", "since_anchor", "net_preference",
         "Net preference over the answers of the anchor."),
        ("raq_f1_difference", "f1", "difference", "F1 minus that of the accepted answers."),
        ("raq_likelihood_difference", "likelihood", "difference",
         "Bits per byte of the references minus the accepted ones."),
        ("raq_likelihood_p_value", "likelihood", "adjusted_p",
         "One-sided p-value of a loss of likelihood, corrected by Holm."),
        ("raq_f1_p_value", "f1", "adjusted_p",
         "One-sided p-value of a loss of F1, corrected by Holm."),
    )  # fmt: skip
    for family, part, field, text in families:
        samples = [
            _sample(family, {"suite": result.suite, "model": name}, value)
            for result in results
            for name, verdict in result.verdicts.items()
            if (found := getattr(verdict, part)) and math.isfinite(value := getattr(found, field))
        ]
        if samples:
            yield from _family(family, "gauge", text)
            yield from samples


def _verdicts(results: Sequence[SuiteResult]) -> Iterator[str]:
    if not any(result.verdicts for result in results):
        return
    yield from _family("raq_verdict", "stateset", "The verdict of the gate.")
    for result in results:
        for name, verdict in result.verdicts.items():
            for decision in Decision:
                labels = {"suite": result.suite, "model": name, "raq_verdict": decision.value}
                yield _sample("raq_verdict", labels, int(verdict.decision is decision))


def _models(results: Sequence[SuiteResult]) -> Iterator[str]:
    yield from _family("raq_model", "info", "What answered.")
    for result in results:
        for name, model in result.provenance.models.items():
            labels = {
                "suite": result.suite,
                "model": name,
                "engine": model.engine,
                "build": model.build,
                "file": model.file,
                "file_sha256": model.file_sha256,
                "quantization": model.quantization,
            }
            yield _sample("raq_model_info", labels, 1)


def _sample(name: str, labels: Labels, value: float) -> str:
    told = ",".join(f'{label}="{_escape(safe_text(text))}"' for label, text in labels.items())
    return f"{name}{{{told}}} {value!r}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
