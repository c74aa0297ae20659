"""Tables of a page on how likely the references are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.report.figures.likelihood import differences
from pytest_raq.report.page.tables import Row, Table
from pytest_raq.text import number, p_text, safe_text

if TYPE_CHECKING:
    from pytest_raq.records import LikelihoodEvidence, SuiteResult

WORST = 10
"""Questions of each model that are shown: those that lost the most bits."""


def likelihood_table(result: SuiteResult) -> Table | None:
    """Return the likelihood test of each model; None where nothing was measured."""
    rows = []
    for model, summary in result.models.items():
        if summary.reference_bits_per_byte is None:
            continue
        verdict = result.verdicts.get(model)
        found = verdict.likelihood if verdict else None
        since = verdict.likelihood_since_anchor if verdict else None
        rows.append(
            Row(
                (
                    model,
                    number(summary.reference_bits_per_byte, 3),
                    *_test(found),
                    *_drift(found),
                    number(since.difference, 3, sign=True) if since else "–",
                )
            )
        )
    head = ("model", "bits/byte", "accepted", "difference", "interval", "p", "perplexity",
            "flips", "drift", "since the anchor")  # fmt: skip
    title = "Likelihood of the references"
    return Table(title, head, rows, numbers_from=1) if rows else None


def _test(found: LikelihoodEvidence | None) -> tuple[str, ...]:
    if found is None:
        return ("–",) * 5
    return (
        number(found.before, 3),
        number(found.difference, 3, sign=True),
        f"[{number(found.interval.low, 3)}, {number(found.interval.high, 3)}]",
        p_text(found.adjusted_p),
        f"×{number(found.perplexity_ratio, 3)}",
    )


def _drift(found: LikelihoodEvidence | None) -> tuple[str, str]:
    drift = found.drift if found else None
    if drift is None:
        return "–", "–"
    return f"{number(100 * drift.flips, 1)} %", number(drift.difference, 3, sign=True)


def worst_table(result: SuiteResult) -> Table | None:
    """Return the questions whose reference lost the most bits; None where none did."""
    items = {item.question.id: item for item in result.questions}
    rows = []
    for model in result.models:
        lost = sorted(differences(result, model).items(), key=lambda pair: -pair[1])
        for name, change in lost[:WORST]:
            if change <= 0:
                break
            item = items[name]
            rows.append(
                Row(
                    (
                        model,
                        safe_text(item.question.question or name, 160),
                        safe_text(next(iter(item.question.references), ""), 80),
                        number(item.baseline_reference_bits[model], 2),
                        number(item.reference_bits[model], 2),
                        number(change, 2, sign=True),
                    )
                )
            )
    head = ("model", "question", "reference", "accepted", "today", "lost bits/byte")
    title = "Questions whose reference has become less likely"
    return Table(title, head, rows, numbers_from=3) if rows else None
