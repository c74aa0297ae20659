"""The place of likelihood in a verdict: it lets small runs pass and raises doubt.

It never condemns, because it can move while answers do not; and it does not
acquit where answers got worse, because a broken template or stop string does
not show in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_raq.errors import UsageError
from pytest_raq.gate.rules import fell
from pytest_raq.records import Decision
from pytest_raq.stats.power import questions_needed, spread
from pytest_raq.text import number, p_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_raq.config import GateSettings
    from pytest_raq.records import LikelihoodEvidence, Verdict

ROUNDING = 1e-9
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_OPEN = frozenset({Decision.PASS, Decision.INCONCLUSIVE})
"""What answers found that likelihood may still change."""


@dataclass(frozen=True, slots=True)
class TruthEvidence:
    """What likelihood says of one model: since the baseline, and since the anchor.

    ``since_anchor`` is None where the anchor is the accepted state itself;
    ``lacks_anchor`` says that there is another one, without likelihoods.
    """

    since_baseline: LikelihoodEvidence | None = None
    since_anchor: LikelihoodEvidence | None = None
    lacks_anchor: bool = False


def combine(
    verdict: Verdict,
    truth: TruthEvidence,
    settings: GateSettings,
    *,
    expected: int,
    preferences: Mapping[str, int] = _NOTHING,
    clusters: Mapping[str, str] = _NOTHING,
) -> Verdict:
    """Return the verdict on answers together with what the likelihood of the truth adds.

    ``expected`` counts the questions of the suite; ``preferences`` (s_i by question
    id) and ``clusters`` tell how many questions answers would need. With
    ``likelihood = "show"`` the decision stays.
    """
    evidence, since = truth.since_baseline, truth.since_anchor
    if evidence is None:
        return verdict
    told = [_told(evidence), *(f"since the anchor: {_told(each)}" for each in _known(since))]
    shown = replace(
        verdict,
        reasons=(*verdict.reasons, *told),
        likelihood=evidence,
        likelihood_since_anchor=since,
    )
    if settings.likelihood != "gate" or verdict.decision not in _OPEN:
        return shown
    if any(is_beyond(each, settings) for each in (evidence, *_known(since))):
        needed = _needed(verdict, preferences, clusters, settings)
        first = f"the truth has become less likely; ask more questions{needed}"
        reasons = (f"{first}: {'; '.join(told)}", *verdict.reasons)
        return replace(shown, decision=Decision.INCONCLUSIVE, reasons=reasons)
    if verdict.decision is Decision.INCONCLUSIVE and _acquits(verdict, truth, settings, expected):
        margin = f"a loss of {settings.likelihood_margin:g} bits per byte is ruled out"
        first = f"the truth is as likely as before: {margin} (likelihood_margin)"
        return replace(shown, decision=Decision.PASS, reasons=(first, *shown.reasons))
    return shown


def _known(since: LikelihoodEvidence | None) -> tuple[LikelihoodEvidence, ...]:
    return () if since is None else (since,)


def _acquits(verdict: Verdict, truth: TruthEvidence, settings: GateSettings, expected: int) -> bool:
    """Whether answers are inconclusive only because there are too few of them.

    Answers that seem to have lost ``min_effect`` are not: what breaks answers and not
    likelihood, as a wrong stop string does, must not pass here.
    """
    compared = [each for each in (verdict.quality, verdict.since_anchor) if each is not None]
    lost = any(each.net_preference <= ROUNDING - settings.min_effect for each in compared)
    tests = (verdict.f1, verdict.f1_since_anchor)
    lost = lost or any(fell(each, settings) for each in tests if each is not None)
    if lost or not compared or truth.lacks_anchor or truth.since_baseline is None:
        return False
    found = (truth.since_baseline, *_known(truth.since_anchor))
    return all(is_inside(each, settings, expected=expected) for each in found)


def is_beyond(evidence: LikelihoodEvidence, settings: GateSettings) -> bool:
    """Whether the references are significantly less likely, by an amount that matters."""
    return (
        evidence.adjusted_p <= settings.alpha
        and evidence.difference >= settings.likelihood_min_effect - ROUNDING
    )


def is_inside(evidence: LikelihoodEvidence, settings: GateSettings, *, expected: int) -> bool:
    """Whether a loss of ``likelihood_margin`` is ruled out, on nearly all questions.

    Too few passages for any p at ``pass_level`` rule out nothing.
    """
    missing = expected - evidence.questions
    return (
        0.5**evidence.passages <= settings.pass_level
        and evidence.interval.high < settings.likelihood_margin - ROUNDING
        and missing <= settings.max_missing * expected + ROUNDING
    )


def likelihood_word(evidence: LikelihoodEvidence, settings: GateSettings, *, expected: int) -> str:
    """Return in words what likelihood alone says."""
    if is_beyond(evidence, settings):
        return "less likely"
    return "within the margin" if is_inside(evidence, settings, expected=expected) else "open"


def _needed(
    verdict: Verdict,
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
            models=verdict.quality.tests if verdict.quality else 1,
            min_effect=settings.min_effect,
        )
    except UsageError:  # no number does
        return ""
    return f" (answers alone need about {needed:,} to find a loss of {settings.margin:g})"


def _told(evidence: LikelihoodEvidence) -> str:
    change = number(evidence.difference, 3, sign=True)
    p = p_text(evidence.adjusted_p)
    p = f"p < {p[1:]}" if p.startswith("<") else f"p = {p}"
    low, high = evidence.interval.low, evidence.interval.high
    interval = "" if math.isnan(low) else f", interval {number(low, 3)} to {number(high, 3)}"
    drift = evidence.drift
    flips = f"; {100 * drift.flips:.0f} % of the accepted answers' tokens flip" if drift else ""
    return (
        f"reference {number(evidence.before, 3)} → {number(evidence.now, 3)} bits per byte,"
        f" {change}{interval}, {p}{flips}"
    )
