"""Ranks of one question, and the statistics of the ranks of a run."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time when a baseline is parsed
from dataclasses import dataclass, field

PairwiseP = dict[str, dict[str, float]]
"""p-values, model name → model name → p; 1 on the diagonal; NaN when undefined."""

CANDIDATE, ACCEPTED, ANCHOR = "now:", "then:", "anchor:"
"""Contestants of a joint ranking: a model's new answer, its accepted one, and the anchor's."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The mid-ranks of one question by contestant, 1 is best, ties share.

    ``missing`` says why there are no ranks; a missing ranking never becomes a rank.
    ``orders_agreed`` says whether a judge that read the answers in an order
    and in its reverse gave the same order both times; None if it read them once.
    ``reasons`` say why contestants rank as they do, if the judge gives reasons.
    """

    question_id: str
    ranks: Mapping[str, float] = field(default_factory=dict)
    missing: str = ""
    orders_agreed: bool | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JudgeExchange:
    """The prompt to an LLM judge, its reply, and the usage.

    ``usage`` counts what the judge reports, e.g. ``prompt_tokens``,
    ``completion_tokens``, ``cost``.
    """

    prompt: str
    reply: str
    usage: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderReading:
    """One reading of the texts of a case by a judge, with its ranking.

    ``shown`` names the texts in the order in which the judge saw them,
    ``tiers`` is its weak order of them, best first; both are indices of the
    case, and both contain every text once.
    """

    shown: tuple[int, ...]
    tiers: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class JudgeVerdict:
    """The stored verdict of a judge on one case.

    ``tiers`` is a weak order of the distinct texts, best first, as indices
    of the sorted texts; empty if there is none, and ``reason`` says why.
    ``agreed`` says whether both orders of reading gave the same result, if there
    were two. ``readings`` are the readings from which the order was made.
    """

    tiers: tuple[tuple[int, ...], ...]
    reason: str = ""
    exchanges: tuple[JudgeExchange, ...] = ()
    agreed: bool | None = None
    readings: tuple[OrderReading, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """SQuAD exact match (0 or 1) and F1 (0 to 1) of one answer.

    ``contains`` is 1 if a reference stands in the answer as whole words, else 0.
    """

    exact_match: float
    f1: float
    contains: float = 0.0


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
    """Aggregated ranks of one run: the results of `pytest_raq.stats` for its rankings.

    ``dunn_holm`` is the test of RAQ, shown for comparison; decisions are based on
    tests that take questions and passages into account.
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
    """A pair of models whose order changed since the baseline, and the test that found it."""

    better_before: str
    first: str
    second: str
    better_now: str
    test: str
    p_before: float
    p_now: float
