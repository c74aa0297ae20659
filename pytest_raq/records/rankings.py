"""Ranks of one question, and what the ranks of a run say together."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time when a baseline is parsed
from dataclasses import dataclass, field

PairwiseP = dict[str, dict[str, float]]
"""p-values, model name → model name → p; 1 on the diagonal; NaN when undefined."""

CANDIDATE, ACCEPTED = "now:", "then:"
"""Contestants of a joint ranking: a model's answer of today, its accepted answer."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The mid-ranks of one question by contestant, 1 is best, ties share.

    ``missing`` says why there are no ranks; a missing ranking is never a rank.
    ``orders_agreed`` tells whether a judge that read the answers in an order
    and in its reverse said the same both times; None where it did not.
    """

    question_id: str
    ranks: Mapping[str, float] = field(default_factory=dict)
    missing: str = ""
    orders_agreed: bool | None = None


@dataclass(frozen=True, slots=True)
class JudgeExchange:
    """What a judge was asked in words, what it replied, and what that took.

    ``usage`` counts whatever the judge can tell, e.g. ``prompt_tokens``,
    ``completion_tokens``, ``cost``.
    """

    prompt: str
    reply: str
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderReading:
    """One time that a judge was shown the texts of a case, and how it ranked them then.

    ``shown`` names the texts in the order in which the judge saw them,
    ``tiers`` is its weak order of them, best first; both by the indices of the
    case, and both hold every text once.
    """

    shown: tuple[int, ...]
    tiers: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class JudgeVerdict:
    """What a judge said of one case, as it is kept.

    ``tiers`` is a weak order of the distinct texts, best first, as indices
    into them sorted; empty where there is none, and ``reason`` says why.
    ``agreed`` tells whether both orders of reading led to the same, if there
    were two. ``readings`` are what the order was made of.
    """

    tiers: tuple[tuple[int, ...], ...]
    reason: str = ""
    exchanges: tuple[JudgeExchange, ...] = ()
    agreed: bool | None = None
    readings: tuple[OrderReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """SQuAD exact match (0 or 1) and F1 (0 to 1) of one answer."""

    exact_match: float
    f1: float


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; NaN bounds when it is not defined."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OmnibusTest:
    """A test over all models at once; NaN with a ``note`` when undefined."""

    statistic: float
    p_value: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class RankTests:
    """Aggregated ranks of one run: what `pytest_raq.stats` finds in its rankings.

    ``dunn_holm`` is the test of RAQ, shown for comparison; decisions rest on
    tests that respect questions and passages.
    """

    models: tuple[str, ...]
    questions: int
    passages: int
    mean_ranks: Mapping[str, float]
    intervals: Mapping[str, Interval]
    friedman: OmnibusTest
    kruskal: OmnibusTest
    dunn_holm: PairwiseP
    conover_holm: PairwiseP
    permutation_holm: PairwiseP
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StandingChange:
    """A pair of models whose standing moved since the baseline, and who saw it."""

    better_before: str
    first: str
    second: str
    better_now: str
    test: str
    p_before: float
    p_now: float
