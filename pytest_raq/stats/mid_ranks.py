"""Mid-ranks: tied items share the mean of their places."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_raq.records import Ranking
from pytest_raq.records.rankings import CANDIDATE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


def tier_ranks(tiers: Sequence[Sequence[int]], size: int) -> list[float]:
    """Return the mid-ranks of a case's texts from its tiers."""
    tier_of = {str(index): tier for tier, indices in enumerate(tiers) for index in indices}
    ranks = mid_ranks(tier_of)
    return [ranks[str(index)] for index in range(size)]


def mid_ranks(tiers: Mapping[str, float]) -> dict[str, float]:
    """Return mid-ranks by contestant, 1 for the lowest tier; k of them sum to k(k+1)/2.

    Contestants of a tier share the mean of their places.
    """
    sizes = Counter(tiers.values())
    rank_of, before = {}, 0
    for tier in sorted(sizes):
        rank_of[tier] = before + (sizes[tier] + 1) / 2
        before += sizes[tier]
    return {contestant: rank_of[tier] for contestant, tier in tiers.items()}


def restrict(ranking: Ranking, contestants: Collection[str]) -> Ranking:
    """Return the mid-ranks of some contestants among themselves.

    Contestants that were not ranked are left out; a missing ranking stays
    missing, and a ranking without remaining contestants becomes missing.
    """
    if ranking.missing:
        return ranking
    wanted = frozenset(contestants)
    chosen = {name: rank for name, rank in ranking.ranks.items() if name in wanted}
    if not chosen:
        return Ranking(ranking.question_id, missing="there are no answers to rank")
    return Ranking(
        ranking.question_id,
        mid_ranks(chosen),
        orders_agreed=ranking.orders_agreed,
        reasons={name: why for name, why in ranking.reasons.items() if name in chosen},
    )


def candidate_ranking(ranking: Ranking) -> Ranking:
    """Return the mid-ranks of only the new answers, by model."""
    present = [name for name in ranking.ranks if name.startswith(CANDIDATE)]
    ranks = restrict(ranking, present).ranks
    return Ranking(
        ranking.question_id,
        {name.removeprefix(CANDIDATE): rank for name, rank in ranks.items()},
        ranking.missing,
        ranking.orders_agreed,
        reasons_of(ranking, CANDIDATE),
    )


def reasons_of(ranking: Ranking, which: str) -> dict[str, str]:
    """Return what the judge says of the new or of the accepted answers, by model."""
    return {
        name.removeprefix(which): why
        for name, why in ranking.reasons.items()
        if name.startswith(which)
    }
