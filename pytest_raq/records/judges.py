"""Facts about judges: their results on answers of known order, and their agreement."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - as in the other records
from dataclasses import dataclass, field

from pytest_raq.records.rankings import Interval  # noqa: TC001 - as in the other records


@dataclass(frozen=True, slots=True)
class Proportion:
    """A count of a total, with a 95 % interval of the share; NaN bounds for a total of 0."""

    count: int
    total: int
    interval: Interval

    @property
    def share(self) -> float:
        """The share, 0 to 1; NaN for a total of 0."""
        return self.count / self.total if self.total else float("nan")


@dataclass(frozen=True, slots=True)
class Trend:
    """Whether better ranks correlate with a value, by pairs of texts of one case.

    ``tau`` is Kendall's tau-b: 1 if better ranks always have larger values, −1 if
    worse ranks do; ``p_value`` is two-sided. NaN if it is not defined.
    """

    tau: float
    p_value: float
    pairs: int


@dataclass(frozen=True, slots=True)
class LengthPreference:
    """How often the longer or the shorter of two answers with equal meaning ranked higher."""

    longer: int
    shorter: int
    level: int
    p_value: float


@dataclass(frozen=True, slots=True)
class JudgeCheck:
    """How a judge ranked sentinels: answers whose order is known.

    ``are_spare`` says that they are not made from the questions of the suite.
    ``missing`` counts the cases without a verdict, ``reason`` says why the
    first has none; ``orders`` is the number of orders in which a verdict read the
    texts, 0 if the judge does not report it. ``accuracy`` counts the pairs in which
    the better text ranked strictly higher, ``kinds`` the same by what the pair
    tests. ``level`` counts equally right wordings that were ranked as tied,
    ``consistency`` the cases that had the same order each time.
    """

    judge: str
    cases: int
    missing: int
    reason: str
    orders: int
    accuracy: Proportion
    kinds: Mapping[str, Proportion]
    level: Proportion
    consistency: Proportion
    position: Trend
    length: LengthPreference
    f1: Trend
    f1_spearman: float
    are_spare: bool = False


@dataclass(frozen=True, slots=True)
class JudgeHabits:
    """The figures of a judge on the answers of a run: shown, but never decisive.

    ``agreed`` counts the cases that had the same order each time they were
    read; its total is 0 if each was read once.
    """

    judge: str
    ranked: int
    missing: int
    agreed: Proportion
    position: Trend
    length: Trend
    f1: Trend
    f1_spearman: float


@dataclass(frozen=True, slots=True)
class PairOfJudges:
    """The agreement of two judges on pairs of texts that both ranked.

    ``tau`` is Kendall's tau-b over the pairs of all questions, ``same`` counts
    the pairs with the same result (better, tied or worse) from both.
    """

    first: str
    second: str
    tau: float
    same: Proportion


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of the judges of a panel; NaN if it is not defined.

    ``kendall_w`` is the mean of ``by_question``, Kendall's W of each question
    with correction for ties, 0 to 1; judges who rank by chance have
    ``chance`` on average. ``alpha`` is Krippendorff's, ordinal, over all texts of all
    questions.
    """

    judges: tuple[str, ...]
    questions: int
    kendall_w: float
    chance: float
    by_question: Mapping[str, float]
    alpha: float
    pairs: tuple[PairOfJudges, ...]


@dataclass(frozen=True, slots=True)
class HumanAgreement:
    """The agreement of a judge with people; ``interval`` is that of the share of ``same``."""

    judge: str
    rankings: int
    missing: int
    tau: float
    same: Proportion


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """What a run knows about its judges.

    ``problems`` say why they are not trusted (empty when they are),
    ``ranks`` is question id → judge → contestant → mid-rank, for panels.
    """

    judges: tuple[str, ...]
    checks: Mapping[str, JudgeCheck] = field(default_factory=dict)
    habits: Mapping[str, JudgeHabits] = field(default_factory=dict)
    agreement: Agreement | None = None
    ranks: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    agreed: Mapping[str, bool] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
