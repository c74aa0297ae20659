"""The verdicts of the gate and their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pytest_raq.records.likelihood import LikelihoodEvidence  # noqa: TC001 - read at run time
from pytest_raq.records.rankings import Interval  # noqa: TC001 - read at run time


@dataclass(frozen=True, slots=True)
class SpeedEvidence:
    """One speed figure compared with the baseline: a ratio of medians, now ÷ then.

    ``measure`` names the figure (``decode_tokens_per_second``, …). The ratio is
    inverted for times, so that below 1 always means slower.
    """

    measure: str
    now: float
    before: float
    ratio: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class QualityEvidence:
    """The quality test of one model: its new answers against its accepted ones.

    ``net_preference`` is the mean of s_i ∈ {−1, 0, +1} over questions;
    ``p_value`` one-sided (worse), ``adjusted_p`` after Holm over the models;
    ``detectable`` the smallest loss that this run finds with 80 % power.
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


class Decision(StrEnum):
    """The decision of the gate about one model."""

    PASS = "pass"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"
    NO_BASELINE = "no baseline"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision about one model with its evidence as text, most important first."""

    model: str
    decision: Decision
    reasons: tuple[str, ...]
    quality: QualityEvidence | None = None
    speed: tuple[SpeedEvidence, ...] = ()
    likelihood: LikelihoodEvidence | None = None
