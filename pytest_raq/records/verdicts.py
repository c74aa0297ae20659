"""The verdicts of the gate and their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pytest_raq.records.likelihood import LikelihoodEvidence  # noqa: TC001 - read at run time
from pytest_raq.records.rankings import Interval  # noqa: TC001 - read at run time
from pytest_raq.records.speed import SpeedEvidence  # noqa: TC001 - read at run time


@dataclass(frozen=True, slots=True)
class F1Evidence:
    """The F1 of a model's new answers against that of its accepted ones, same questions.

    ``now`` and ``before`` are means, ``difference`` is now − before, with an interval;
    ``p_value`` is one-sided (a loss), by sign flips of passages, ``adjusted_p`` after Holm.
    """

    questions: int
    now: float
    before: float
    difference: float
    interval: Interval
    p_value: float
    adjusted_p: float


@dataclass(frozen=True, slots=True)
class QualityEvidence:
    """The quality test of one model: its new answers against its accepted ones.

    ``net_preference`` is the mean of s_i ∈ {−1, 0, +1} over questions, divided by
    2a − 1 for a judge that ranks pairs with accuracy a (``judge_accuracy``; 1 needs
    no correction), at most ±1; ``raw_net_preference`` is the mean itself.
    ``interval`` is corrected in the same way; its lower end has the one-sided level of a
    pass, its upper end that of an alarm.
    ``p_value`` is one-sided (worse), ``adjusted_p`` after Holm over the models and
    accepted states, ``sparse_p`` counts questions where too few passages changed;
    ``tests`` is the number of tests in Holm's correction.
    ``worse`` contains ``failed``: questions with an accepted answer and none today.
    ``unknown`` counts questions that could not be compared.
    ``detectable`` is the smallest loss that such a run finds with 80 % power,
    ``pass_chance`` the share of such runs (0 to 1) in which an unchanged model passes.
    """

    questions: int
    passages: int
    worse: int
    better: int
    tied: int
    net_preference: float
    interval: Interval
    p_value: float
    adjusted_p: float
    exact: bool
    detectable: float = float("nan")
    raw_net_preference: float = float("nan")
    judge_accuracy: float = 1.0
    moved_passages: int = 0
    sparse_p: float = 1.0
    tests: int = 1
    failed: int = 0
    unknown: int = 0
    pass_chance: float = float("nan")


class Decision(StrEnum):
    """The decision of the gate about one model; what a reader must see comes first."""

    REGRESSION = "regression"
    SUSPECT = "suspect"
    INCONCLUSIVE = "inconclusive"
    NO_BASELINE = "no baseline"
    NOT_MEASURED = "not measured"
    PASS = "pass"
    UNCHANGED = "unchanged"

    @property
    def is_good(self) -> bool:
        """Whether nothing is left to look at: a pass, or nothing changed."""
        return self in {Decision.PASS, Decision.UNCHANGED}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision about one model with its evidence as text, most important first.

    ``quality`` and ``f1`` compare with the last accepted state, ``since_anchor`` and
    ``f1_since_anchor`` with the anchor, where it is another one. ``speed_summary`` says in a
    few words what is known of the speed: ``speed unchanged``, ``decode ×1.02, 0.99 to 1.05``.
    """

    model: str
    decision: Decision
    reasons: tuple[str, ...]
    quality: QualityEvidence | None = None
    speed: tuple[SpeedEvidence, ...] = ()
    f1: F1Evidence | None = None
    since_anchor: QualityEvidence | None = None
    f1_since_anchor: F1Evidence | None = None
    likelihood: LikelihoodEvidence | None = None
    likelihood_since_anchor: LikelihoodEvidence | None = None
    speed_summary: str = ""
