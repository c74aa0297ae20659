"""The likelihood test: today's bits per byte of the references against the accepted ones."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_raq.records import LikelihoodEvidence
from pytest_raq.stats.resampling import holm, passage_intervals, sign_flip, sum_by_passage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from pytest_raq.records import Drift

    Floats = NDArray[np.float64]

CUT = 20
"""Of so many differences that are not 0, the size of the largest is cut to that of the next."""

_STEPS = 60_000
"""Sums per passage are rounded to this many parts of their total size, so that p is exact."""


class _Plan(NamedTuple):
    level: float
    seed: int
    resamples: int


_NO_DRIFTS: Mapping[str, Drift | None] = MappingProxyType({})


def winsorise(differences: Floats) -> Floats:
    """Return differences cut at ±c, so that no single question decides.

    c is the 95 % quantile of the sizes of all differences that are not 0: the
    smallest size that at most one in 20 of them exceeds. It depends on sizes only,
    so flipping signs does not change it, and a test by sign flips of what is cut
    keeps its level (Winsor's idea, as in Tukey, "The Future of Data Analysis",
    1962, § 14).
    """
    sizes = np.sort(np.abs(differences))
    count = int(np.count_nonzero(sizes))
    if not count:
        return differences
    limit = float(sizes[-1 - count // CUT])
    return np.clip(differences, -limit, limit)


def likelihood_evidence(
    now: Mapping[str, Mapping[str, float]],
    before: Mapping[str, Mapping[str, float]],
    clusters: Mapping[str, str],
    *,
    drifts: Mapping[str, Drift | None] = _NO_DRIFTS,
    level: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
    resamples: int = 10_000,
) -> dict[str, LikelihoodEvidence]:
    """Test for each model whether the references have become less likely.

    ``now`` and ``before`` are model → question id → bits per byte, ``clusters``
    question id → passage. Only questions with both figures count; a model
    without any is left out. p is one-sided (less likely), by flipping the
    signs of the winsorised sums per passage, Holm-adjusted over the models;
    the interval of their mean has the given two-sided ``level``, by resampling
    passages. ``drifts`` are passed on.
    """
    plan = _Plan(level, seed, resamples)
    found = {
        model: evidence
        for model in now
        if (evidence := _evidence(now[model], before.get(model, {}), clusters, plan))
    }
    tests = len(found)
    adjusted = holm([item.p_value for item in found.values()])
    return {
        model: replace(
            item,
            adjusted_p=p,
            drift=drifts.get(model),
            detectable=_detectable(item, alpha / max(1, tests)),
        )
        for (model, item), p in zip(found.items(), adjusted, strict=True)
    }


def _evidence(
    now: Mapping[str, float],
    before: Mapping[str, float],
    clusters: Mapping[str, str],
    plan: _Plan,
) -> LikelihoodEvidence | None:
    names = sorted(name for name in now if name in before)
    if not names:
        return None
    raw = np.array([now[name] - before[name] for name in names])
    table = sum_by_passage(names, winsorise(raw)[:, None], clusters)
    (interval,) = passage_intervals(
        table.sums, table.sizes[:, None], level=plan.level, seed=plan.seed, resamples=plan.resamples
    )
    sums = table.sums[:, 0]
    return LikelihoodEvidence(
        questions=len(names),
        passages=len(table.passages),
        now=fmean(now[name] for name in names),
        before=fmean(before[name] for name in names),
        difference=float(sums.sum()) / len(names),
        interval=interval,
        # What is lost has a positive sign here, and a negative one in the test.
        p_value=sign_flip(_steps(-sums), seed=plan.seed, resamples=plan.resamples).lower,
        adjusted_p=math.nan,
        perplexity_ratio=float(2 ** np.mean(raw)),
        detectable=_standard_error(table.sums[:, 0], len(names)),
    )


def _standard_error(sums: Floats, questions: int) -> float:
    """Return the standard error of a mean over questions from the sums of its passages."""
    if len(sums) < 2:
        return math.nan
    return float(sums.std(ddof=1)) * math.sqrt(len(sums)) / questions


def _detectable(evidence: LikelihoodEvidence, alpha: float) -> float:
    """Return the loss found with 80 % power, from the standard error in its place.

    (t₁₋ₐ + t₀.₈) standard errors, t of Student's distribution with one degree of
    freedom a passage less one: the usual approximation (Cohen, 1988, § 2.4). NaN if
    so few passages can show nothing.
    """
    from scipy import stats

    freedom = evidence.passages - 1
    if 0.5**evidence.passages > alpha:
        return math.nan
    return float(stats.t.isf(alpha, freedom) + stats.t.ppf(0.8, freedom)) * evidence.detectable


def _steps(sums: Floats) -> NDArray[np.int64]:
    """Return sums as whole numbers of steps, as the exact test needs them."""
    total = float(np.abs(sums).sum())
    scale = _STEPS / total if total > 0 else 0.0
    return np.rint(sums * scale).astype(np.int64)


def mean_bits(bits: Iterable[float]) -> float | None:
    """Return the mean of bits per byte over questions; None without any."""
    known = list(bits)
    return fmean(known) if known else None
