"""A ladder of quantizations, and two engines side by side."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time
from dataclasses import dataclass, field

from pytest_raq.records.results import (  # noqa: TC001 - read at run time
    ModelSummary,
    Provenance,
    SpeedSamples,
    SuiteResult,
)
from pytest_raq.records.verdicts import SpeedEvidence, Verdict  # noqa: TC001 - read at run time


@dataclass(frozen=True, slots=True)
class Rung:
    """One file of a ladder; the top has no verdict, for it is what the others are held against.

    ``bytes`` is 0 and ``problem`` says why where the file could not be made.
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
    """One model in files of falling size.

    ``smallest`` is the kind of the smallest file whose verdict is a pass,
    empty where there is none.
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


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """A question that two engines answer differently."""

    question_id: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class EngineTrial:
    """A suite under another engine, held against today's.

    ``result`` is that of the engine that is tried; ``before`` and ``now`` name
    the two builds by model, ``changes`` are the answers that differ.
    """

    result: SuiteResult
    before: Mapping[str, str]
    now: Mapping[str, str]
    changes: Mapping[str, tuple[AnswerChange, ...]]
    notes: tuple[str, ...] = ()
