"""How far the judges of a panel agree, and the bias of each."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.judging.validation.sentinel_check import (
    f1_spearman,
    f1_trend,
    length_trend,
    position_trend,
)
from pytest_raq.records import Agreement, JudgeHabits, PairOfJudges
from pytest_raq.stats.agreement import (
    PairCounts,
    count_pairs,
    kendall_w,
    krippendorff_alpha,
    proportion,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_raq.judging.panel import PanelMember

    Floats = NDArray[np.float64]


def habits(seat: PanelMember) -> JudgeHabits:
    """Return the figures of a judge over all cases that it was asked."""
    heard = [item for item, _ in seat.heard.values()]
    agreed = [item.order.agreed for item in heard if item.order.agreed is not None]
    return JudgeHabits(
        judge=seat.name,
        ranked=len(heard),
        missing=len(seat.silent),
        agreed=proportion(sum(agreed), len(agreed)),
        position=position_trend(heard),
        length=length_trend(heard),
        f1=f1_trend(heard),
        f1_spearman=f1_spearman(heard),
    )


def agreement(seats: Sequence[PanelMember]) -> Agreement | None:
    """Return how far judges agree on the texts that they all ranked.

    None if no question was ranked by two of them. A question is compared
    on the texts that all judges who ranked it have seen.
    """
    names = [seat.name for seat in seats]
    ids = sorted({name for seat in seats for name in seat.heard})
    tables = {name: table for name in ids if (table := _common(seats, name)) is not None}
    if not tables:
        return None
    by_question = {name: kendall_w(table[~np.isnan(table[:, 0])]) for name, table in tables.items()}
    defined = [value for value in by_question.values() if not math.isnan(value)]
    judged = [int((~np.isnan(table[:, 0])).sum()) for table in tables.values()]
    return Agreement(
        judges=tuple(names),
        questions=len(tables),
        kendall_w=fmean(defined) if defined else math.nan,
        chance=fmean(1 / count for count in judged),
        by_question=by_question,
        alpha=krippendorff_alpha(np.hstack(list(tables.values()))),
        pairs=tuple(_pair(one, other) for one, other in combinations(seats, 2)),
    )


def _common(seats: Sequence[PanelMember], question_id: str) -> Floats | None:
    """Return the mid-ranks, judges × texts, of the texts that all judges have seen.

    A judge that gave no order has a row of NaN; None for fewer than two
    judges or texts.
    """
    from scipy import stats

    ranks = [_ranks(seat, question_id) for seat in seats]
    known = [row for row in ranks if row]
    places = sorted(set.intersection(*(set(row) for row in known))) if known else []
    if len(known) < 2 or len(places) < 2:
        return None
    blank = [math.nan] * len(places)
    rows = [stats.rankdata([row[place] for place in places]) if row else blank for row in ranks]
    return np.array(rows, dtype=np.float64)


def _ranks(seat: PanelMember, question_id: str) -> Mapping[int, float]:
    """Return a judge's mid-ranks by the place of the text; empty if it gave no order."""
    found = seat.heard.get(question_id)
    return {} if found is None else dict(zip(found[1], found[0].ranks, strict=True))


def _pair(one: PanelMember, other: PanelMember) -> PairOfJudges:
    counts = PairCounts()
    for question_id in one.heard.keys() & other.heard.keys():
        first, second = _ranks(one, question_id), _ranks(other, question_id)
        places = sorted(first.keys() & second.keys())
        counts += count_pairs([first[p] for p in places], [second[p] for p in places])
    return PairOfJudges(one.name, other.name, counts.tau_b, proportion(counts.same, counts.total))
