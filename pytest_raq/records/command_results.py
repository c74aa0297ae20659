"""Results of commands: plans, differences, ladders, trials, findings of `raq doctor`."""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 - read at run time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError
from pytest_raq.records.results import ModelSummary, Provenance, SuiteResult  # noqa: TC001 - read at run time
from pytest_raq.records.speed import SpeedEvidence, SpeedSamples  # noqa: TC001 - read at run time
from pytest_raq.records.verdicts import Verdict  # noqa: TC001 - read at run time

if TYPE_CHECKING:
    from pytest_raq.records.rankings import StandingChange


@dataclass(frozen=True, slots=True)
class Rung:
    """One file of a ladder; the top has no verdict, because the others are compared with it.

    ``bytes`` is 0 and ``problem`` says why if the file could not be made.
    ``speed`` compares with the top, measured in turns with it.
    """

    kind: str
    file: str
    bytes: int
    summary: ModelSummary | None = None
    verdict: Verdict | None = None
    samples: SpeedSamples = field(default_factory=dict)
    speed: tuple[SpeedEvidence, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Ladder:
    """One model in files of decreasing size.

    ``smallest`` is the kind of the smallest file whose verdict is a pass,
    empty if there is none; ``smallest_by_likelihood`` of those within
    ``likelihood_margin``.
    """

    suite: str
    model: str
    questions: int
    passages: int
    margin: float
    top: Rung
    rungs: tuple[Rung, ...]
    smallest: str
    provenance: Provenance
    notes: tuple[str, ...] = ()
    smallest_by_likelihood: str = ""
    likelihood_margin: float = 0.0


@dataclass(frozen=True, slots=True)
class TrialAnswerChange:
    """A question that two engines answer differently."""

    question_id: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class EngineTrial:
    """A suite under another engine, compared with today's engine.

    ``result`` is that of the engine on trial; ``before`` and ``now`` name
    the two builds by model, ``changes`` are the answers that differ.
    """

    result: SuiteResult
    before: Mapping[str, str]
    now: Mapping[str, str]
    changes: Mapping[str, tuple[TrialAnswerChange, ...]]
    notes: tuple[str, ...] = ()


class Health(StrEnum):
    """The result of one check."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    ``section`` groups lines, ``name`` says what was checked, ``text`` what was
    found, and ``next_step`` what to do about a warning or a failure: a command,
    if there is one.
    """

    section: str
    name: str
    health: Health
    text: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, in the order of the checks."""

    findings: tuple[Finding, ...]

    def count(self, health: Health) -> int:
        """Return how many findings are of one kind."""
        return sum(finding.health is health for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two baselines: where it was read, and its own data."""

    name: str
    suite: str
    accepted_at: str
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """One figure before and now; None if it is not known."""

    before: float | None
    now: float | None


@dataclass(frozen=True, slots=True)
class BaselineAnswerChange:
    """A changed answer, with its mid-ranks; None if there is none."""

    question_id: str
    before: str
    now: str
    rank: Change


@dataclass(frozen=True, slots=True)
class ModelChange:
    """The changes of one model that both sides have.

    ``compared`` counts the questions that both sides have, ``reranked`` those
    of them whose rank changed, with or without a changed answer.
    """

    compared: int
    answers: tuple[BaselineAnswerChange, ...]
    reranked: int
    figures: Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class PairChange:
    """The p-values of a pair of models, one per test."""

    first: str
    second: str
    p_values: Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of the provenance by its path, with both values as text; empty if absent."""

    field: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class BaselineDiff:
    """All that differs between two baselines.

    ``unfair`` says why their figures cannot be compared, with the field.
    """

    old: Side
    new: Side
    unfair: str
    models: Mapping[str, ModelChange]
    models_added: tuple[str, ...]
    models_removed: tuple[str, ...]
    questions_added: tuple[str, ...]
    questions_removed: tuple[str, ...]
    pairs: tuple[PairChange, ...]
    standing: tuple[StandingChange, ...]
    speeds: Mapping[str, tuple[SpeedEvidence, ...]]
    same_machine: bool
    provenance: tuple[FieldChange, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run of another size finds, and how often an unchanged model passes it."""

    questions: int
    passages: int
    detectable: float
    pass_chance: float


@dataclass(frozen=True, slots=True)
class SpreadPlan:
    """What a run finds at one spread: of a model, or a given one for all (no ``model``).

    ``changed`` and ``correlation`` are shares; ``detectable`` is the smallest
    loss of net preference that is found, NaN if none is; ``pass_chance`` the share of
    runs in which an unchanged model passes; ``needed`` the questions and passages that find the
    requested effect; ``outlook`` the same figures for runs of other sizes.
    """

    model: str
    changed: float
    correlation: float
    detectable: float
    pass_chance: float = math.nan
    needed: tuple[int, int] | None = None
    outlook: tuple[Outlook, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run to come; ``models`` is what Holm's correction counts."""

    name: str
    questions: int
    passages: int
    models: int
    alpha: float
    power: float
    min_effect: float
    margin: float = 0.1
    pass_level: float = 0.025

    def __post_init__(self) -> None:
        """Refuse what cannot be asked."""
        for name in ("questions", "passages", "models"):
            if getattr(self, name) < 1:
                raise ConfigError(f"--{name} {getattr(self, name)}: give 1 or more")
        if self.passages > self.questions:
            raise ConfigError(
                f"--passages {self.passages}: is more than the {self.questions} questions;"
                " each passage has at least one"
            )


@dataclass(frozen=True, slots=True)
class LikelihoodPlan:
    """What the likelihood of the references finds in a run to come, with 80 % power.

    ``detectable`` is a loss in bits per byte; ``needed`` are the questions and passages
    that find the loss ``effect``.
    """

    model: str
    detectable: float
    effect: float
    needed: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PowerPlan:
    """What a planned run finds, and where the spread is from."""

    run: PlannedRun
    source: str
    spreads: tuple[SpreadPlan, ...]
    effect: float | None = None
    likelihood: tuple[LikelihoodPlan, ...] = ()

    @property
    def detectable(self) -> float:
        """The smallest loss that is found for any model; NaN if none is."""
        found = [item.detectable for item in self.spreads]
        return math.nan if any(map(math.isnan, found)) else max(found)

    @property
    def widest(self) -> SpreadPlan:
        """The plan at the spread that finds least; the first one where none finds any loss."""
        return max(self.spreads, key=lambda item: (item.detectable, 1 - item.pass_chance))

    @property
    def needed(self) -> tuple[int, int] | None:
        """The questions and passages that find the requested effect in every model."""
        return max((item.needed for item in self.spreads if item.needed), default=None)
