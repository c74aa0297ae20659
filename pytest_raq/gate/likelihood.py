"""The place of likelihood in a verdict: it lets small runs pass and raises doubt.

It never condemns, because it can move while answers do not; and it does not
acquit where answers got worse, because a broken template or stop string does
not show in it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_raq.errors import UsageError
from pytest_raq.records import Decision
from pytest_raq.stats.power import questions_needed, spread
from pytest_raq.text import number, p_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.config import GateSettings
    from pytest_raq.gate.rules import GateInput
    from pytest_raq.records import LikelihoodEvidence, Verdict

ROUNDING = 1e-9
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_OPEN = frozenset({Decision.PASS, Decision.INCONCLUSIVE})
"""What answers found that likelihood may still change."""


def combine(
    verdict: Verdict,
    evidence: LikelihoodEvidence | None,
    settings: GateSettings,
    *,
    given: GateInput,
    preferences: Mapping[str, int] = _NOTHING,
    clusters: Mapping[str, str] = _NOTHING,
) -> Verdict:
    """Return the verdict on answers together with what the likelihood of the truth adds.

    ``given`` is what the verdict follows from; ``preferences`` (s_i by question
    id) and ``clusters`` tell how many questions answers would need. With
    ``likelihood = "show"`` the decision stays.
    """
    if evidence is None:
        return verdict
    told = _told(evidence)
    shown = replace(verdict, reasons=(*verdict.reasons, told), likelihood=evidence)
    if settings.likelihood != "gate" or verdict.decision not in _OPEN:
        return shown
    if is_beyond(evidence, settings):
        needed = _needed(given.models, preferences, clusters, settings)
        first = f"the truth has become less likely; ask more questions{needed}: {told}"
        reasons = (first, *verdict.reasons)
        return replace(shown, decision=Decision.INCONCLUSIVE, reasons=reasons)
    if verdict.decision is Decision.INCONCLUSIVE and _acquits(verdict, evidence, given, settings):
        margin = f"a loss of {settings.likelihood_margin:g} (likelihood_margin) is ruled out"
        reasons = (f"the truth is as likely as before, {margin}: {told}", *verdict.reasons[:1])
        return replace(shown, decision=Decision.PASS, reasons=reasons)
    return shown


def _acquits(
    verdict: Verdict,
    evidence: LikelihoodEvidence,
    given: GateInput,
    settings: GateSettings,
) -> bool:
    """Whether answers are inconclusive only because there are too few of them."""
    quality = verdict.quality
    if quality is None or quality.net_preference <= ROUNDING - settings.margin:
        return False
    drop = (given.f1_before or 0.0) - (given.f1_now or 0.0) if given.f1_now is not None else 0.0
    is_kept = drop <= settings.max_f1_drop + ROUNDING
    return is_kept and is_inside(evidence, settings, expected=given.expected)


def is_beyond(evidence: LikelihoodEvidence, settings: GateSettings) -> bool:
    """Whether the references are significantly less likely, by an amount that matters."""
    return (
        evidence.adjusted_p <= settings.alpha
        and evidence.difference >= settings.likelihood_min_effect - ROUNDING
    )


def is_inside(evidence: LikelihoodEvidence, settings: GateSettings, *, expected: int) -> bool:
    """Whether a loss of ``likelihood_margin`` is ruled out, on nearly all questions."""
    missing = expected - evidence.questions
    return (
        evidence.interval.high < settings.likelihood_margin - ROUNDING
        and missing <= settings.max_missing * expected + ROUNDING
    )


def _needed(
    models: int,
    preferences: Mapping[str, int],
    clusters: Mapping[str, str],
    settings: GateSettings,
) -> str:
    """Return how many questions answers would need to find a loss of ``margin``, as text."""
    if not preferences:
        return ""
    passages = len({clusters.get(name, name) for name in preferences})
    try:
        needed = questions_needed(
            settings.margin,
            len(preferences) / passages,
            spread(preferences, clusters),
            alpha=settings.alpha,
            models=models,
            min_effect=settings.min_effect,
        )
    except UsageError:  # no number does
        return ""
    return f" (answers alone need about {needed:,} to find a loss of {settings.margin:g})"


def _told(evidence: LikelihoodEvidence) -> str:
    change = number(evidence.difference, 3, sign=True)
    p = p_text(evidence.adjusted_p)
    p = f"p {p}" if p.startswith("<") else f"p = {p}"
    low, high = evidence.interval.low, evidence.interval.high
    interval = "" if math.isnan(low) else f", interval {number(low, 3)} to {number(high, 3)}"
    drift = evidence.drift
    flips = f"; {100 * drift.flips:.0f} % of the accepted answers' tokens flip" if drift else ""
    return (
        f"reference {number(evidence.before, 3)} → {number(evidence.now, 3)} bits per byte,"
        f" {change}{interval}, {p}{flips}"
    )
