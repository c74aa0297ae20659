"""The result of ``raq score``: how likely texts are for files of a model."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time
from dataclasses import dataclass, field

from pytest_raq.records.likelihood import Likelihood, LikelihoodEvidence  # noqa: TC001 - read at run time


@dataclass(frozen=True, slots=True)
class ScoredText:
    """One text of a question; the first reference is the one that is tested."""

    question_id: str
    passage: str
    text: str
    likelihood: Likelihood


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """One file of a model, or a model behind a server.

    ``bits_per_byte`` is the mean over the ``scored`` questions, of the first
    reference or of the given text. ``evidence`` compares with ``against``, and
    ``word`` says what follows. ``problem`` says why nothing is known.
    """

    name: str
    file: str = ""
    bytes: int = 0
    scored: int = 0
    bits_per_byte: float | None = None
    evidence: LikelihoodEvidence | None = None
    word: str = ""
    seconds: float = 0.0
    problem: str = ""
    texts: tuple[ScoredText, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scoring:
    """What ``raq score`` found; ``smallest`` is the smallest file within the margin."""

    suite: str
    model: str
    questions: int
    passages: int
    margin: float
    against: str
    files: tuple[ScoredFile, ...]
    smallest: str = ""
