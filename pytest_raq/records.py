"""The nouns of pytest-raq as frozen records: no I/O, no numpy.

Everything between the layers is told in these. A *contestant* is whatever
stands in a ranking: a model's answer of today, or its accepted answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - read at run time when a baseline is parsed
from dataclasses import dataclass, field
from enum import StrEnum

UNANSWERABLE = "unanswerable"
"""The reference of a question that its passage does not answer."""

_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['’])*")
_WORD_OR_NUMBER = re.compile(r"\w+(?:['’.,]\w+)*")


def count_words(text: str) -> int:
    """Words of letters and apostrophes only, as Roque and Guedes (2024) count them."""
    return len(_WORD.findall(text))


def count_words_and_numbers(text: str) -> int:
    """Words and numbers: ``"in 1,066"`` counts two."""
    return len(_WORD_OR_NUMBER.findall(text))


@dataclass(frozen=True, slots=True)
class Question:
    """One SQuAD item; questions of one ``passage`` are a cluster."""

    id: str
    title: str
    passage: str
    question: str
    references: tuple[str, ...]
    answerable: bool = True

    @property
    def cluster(self) -> str:
        """What the questions of one passage share."""
        return self.passage


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The questions of a run and where they came from.

    ``source`` is the spec as the user wrote it, ``fingerprint`` the SHA-256 of
    the canonical text of all sampled questions, so that the same file read
    under another name is known to be the same.
    """

    questions: tuple[Question, ...]
    source: str
    fingerprint: str
    revision: str = ""
    total: int = 0

    def __len__(self) -> int:
        return len(self.questions)


@dataclass(frozen=True, slots=True)
class Timing:
    """Measurements of one answer; seconds and tokens.

    ``prompt_tokens`` is the length of the prompt, ``prefilled_tokens`` how many
    of them were evaluated for this answer (fewer when a prefix was shared).
    ``decode_seconds`` spans the generated tokens after the first.
    """

    prompt_tokens: int = 0
    prefilled_tokens: int = 0
    generated_tokens: int = 0
    time_to_first_token: float = 0.0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    total_seconds: float = 0.0

    @property
    def prefill_tokens_per_second(self) -> float | None:
        """Prompt tokens evaluated a second; None when none were timed."""
        return _ratio(self.prefilled_tokens, self.prefill_seconds)

    @property
    def decode_tokens_per_second(self) -> float | None:
        """Tokens a second after the first one; None for answers of one token."""
        return _ratio(self.generated_tokens - 1, self.decode_seconds)


def _ratio(amount: float, seconds: float) -> float | None:
    return amount / seconds if amount > 0 and seconds > 0 else None


class FinishReason(StrEnum):
    """Why generation ended: a stop string or end token, or the token limit."""

    STOP = "stop"
    LENGTH = "length"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to a question."""

    question_id: str
    model: str
    text: str
    finish_reason: FinishReason
    timing: Timing

    @property
    def words(self) -> int:
        """Words of letters and apostrophes."""
        return count_words(self.text)

    @property
    def words_and_numbers(self) -> int:
        """Words and numbers."""
        return count_words_and_numbers(self.text)

    @property
    def words_per_second(self) -> float | None:
        """Words over the whole call, prompt and all; None when it was not timed."""
        seconds = self.timing.total_seconds
        return self.words / seconds if seconds > 0 else None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: an infrastructure failure, never a bad answer."""

    question_id: str
    model: str
    reason: str


Outcome = Answer | Failure


@dataclass(frozen=True, slots=True)
class Prompt:
    """What an engine is asked for one question.

    With ``chat`` the text is the user's message, to be rendered by the chat
    template of the model; without, it is given to the model as it is.
    """

    question_id: str
    text: str
    chat: bool = False


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What ran a model, for the provenance of its answers.

    ``build`` is the version of the engine, ``template_sha256`` the SHA-256 of
    the chat template or the plain prompt, ``quantization`` e.g. ``Q4_K_M``.
    """

    engine: str
    build: str
    quantization: str = ""
    file_sha256: str = ""
    template_sha256: str = ""
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class Ranking:
    """The mid-ranks of one question by contestant, 1 is best, ties share.

    ``missing`` says why there are no ranks; a missing ranking is never a rank.
    """

    question_id: str
    ranks: Mapping[str, float] = field(default_factory=dict)
    missing: str = ""


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


PairwiseP = dict[str, dict[str, float]]
"""p-values, model name → model name → p; 1 on the diagonal; NaN when undefined."""


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


@dataclass(frozen=True, slots=True)
class SpeedEvidence:
    """One speed figure against the baseline's: a ratio of medians, now ÷ then.

    ``measure`` names the figure (``decode_tokens_per_second``, …). The ratio is
    turned so that below 1 means slower, also for times.
    """

    measure: str
    now: float
    before: float
    ratio: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class QualityEvidence:
    """The quality test of one model: today's answers against its accepted ones.

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
    """What the gate says of one model."""

    PASS = "pass"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"
    NO_BASELINE = "no baseline"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision about one model with its evidence in words, most important first."""

    model: str
    decision: Decision
    reasons: tuple[str, ...]
    quality: QualityEvidence | None = None
    speed: tuple[SpeedEvidence, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgeIdentity:
    """Who judged: what must be the same for two rankings to be compared."""

    name: str
    prompt_sha256: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelProvenance:
    """What answered: enough to know why two answers differ.

    ``prompt_sha256`` is the SHA-256 of the prompt that the definition asks
    for, ``template_sha256`` that of the chat template in the model's file.
    """

    engine: str
    build: str
    file: str
    file_sha256: str
    quantization: str
    prompt_sha256: str
    template_sha256: str
    options: Mapping[str, str | int | float | list[str]]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the figures of a run come from."""

    source: str
    revision: str
    fingerprint: str
    questions: int
    judge: JudgeIdentity
    models: Mapping[str, ModelProvenance]
    versions: Mapping[str, str]
    machine: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """The figures of one model over the questions it answered.

    ``exact_match``, ``f1``, ``words`` and ``words_per_second`` are means over
    answers, the other speeds (tokens a second; seconds for the time to first
    token) medians. None where nothing was measured.
    """

    model: str
    answered: int
    failed: int
    mean_rank: float | None
    interval: Interval | None
    exact_match: float | None
    f1: float | None
    words: float | None
    words_and_numbers: float | None
    words_per_second: float | None
    decode_tokens_per_second: float | None
    prefill_tokens_per_second: float | None
    time_to_first_token: float | None


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """One question with what was said to it, today and when accepted.

    ``preferences`` holds s_i by model: −1 where today's answer ranks below the
    accepted one, +1 above.
    """

    question: Question
    answers: Mapping[str, str]
    baseline_answers: Mapping[str, str]
    failures: Mapping[str, str]
    ranks: Mapping[str, float]
    preferences: Mapping[str, int]
    missing: str = ""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """Everything that a run found out about one suite.

    ``baseline_problem`` says why no baseline is compared with (empty when one
    is), ``notes`` what a reader should know beside the verdicts.
    """

    suite: str
    models: Mapping[str, ModelSummary]
    tests: RankTests | None
    verdicts: Mapping[str, Verdict]
    questions: tuple[QuestionResult, ...]
    provenance: Provenance
    passages: int
    baseline: Baseline | None = None
    baseline_problem: str = ""
    standing: tuple[StandingChange, ...] = ()
    speeds: Mapping[str, SpeedSamples] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


SpeedSamples = dict[str, tuple[float, ...]]
"""Speed probe: measure → one value a round, e.g. ``decode_tokens_per_second``."""


@dataclass(frozen=True, slots=True)
class BaselineQuestion:
    """The accepted answers to one question and their mid-ranks."""

    answers: Mapping[str, str]
    ranks: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The accepted state of a suite."""

    suite: str
    accepted_at: str
    reason: str
    provenance: Provenance
    models: Mapping[str, ModelSummary]
    tests: RankTests | None
    speeds: Mapping[str, SpeedSamples]
    questions: Mapping[str, BaselineQuestion]
