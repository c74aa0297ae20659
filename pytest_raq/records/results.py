"""Results of runs, and accepted states."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - read at run time when a baseline is parsed
from dataclasses import dataclass, field

from pytest_raq.records.judges import JudgeReport  # noqa: TC001 - read at run time
from pytest_raq.records.likelihood import Likelihood  # noqa: TC001 - read at run time
from pytest_raq.records.questions import Question  # noqa: TC001 - read at run time
from pytest_raq.records.rankings import Interval, RankTests, StandingChange  # noqa: TC001 - read at run time
from pytest_raq.records.reasoning import UNFINISHED
from pytest_raq.records.repeatability import Repeatability  # noqa: TC001 - read at run time
from pytest_raq.records.speed import AcceptedSpeed, SpeedSamples  # noqa: TC001 - read at run time
from pytest_raq.records.verdicts import Verdict  # noqa: TC001 - read at run time

Setting = int | float | str
"""The value of one setting of the gate."""
LEFT_OUT = "left_out"
"""The option that says which parameters are not sent, because a server refuses them."""


@dataclass(frozen=True, slots=True)
class JudgeIdentity:
    """The judge: what must be the same for two rankings to be compared."""

    name: str
    prompt_sha256: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def chosen(self) -> dict[str, str]:
        """The options that were chosen, without those that a server was found to refuse.

        What it refuses is known only after it was asked, so it is no part of any key.
        """
        return {
            name: value
            for name, value in self.options.items()
            if name.rpartition(".")[2] != LEFT_OUT
        }


@dataclass(frozen=True, slots=True)
class ModelProvenance:
    """The source of answers: enough to know why two answers differ.

    ``prompt_sha256`` is the SHA-256 of the prompt that the definition asks
    for, ``template_sha256`` that of the chat template in the model's file.
    ``reproducible`` is ``verified``, what the self-test found, or empty where
    it was not asked for; ``instruction_set`` is then what the bits depend on.
    ``timed`` is ``usual`` if speed was measured with the usual kernels although
    the answers are reproducible; empty if one engine did both. ``identity`` is what a server says
    of itself, by field; empty for a file.
    """

    engine: str
    build: str
    file: str
    file_sha256: str
    quantization: str
    prompt_sha256: str
    template_sha256: str
    options: Mapping[str, str | int | float | list[str]]
    reproducible: str = ""
    instruction_set: str = ""
    timed: str = ""
    identity: Mapping[str, str] = field(default_factory=dict)

    @property
    def kernels_timed(self) -> str:
        """The kernels whose speed was measured: ``reproducible`` or ``usual``."""
        return self.timed or ("reproducible" if self.reproducible else "usual")


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of the figures of a run.

    ``keys`` are the environment variables whose values were sent, and to which hosts.
    """

    source: str
    revision: str
    fingerprint: str
    questions: int
    judge: JudgeIdentity
    models: Mapping[str, ModelProvenance]
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    keys: Mapping[str, str] = field(default_factory=dict)


FIGURES = (
    "mean_rank",
    "exact_match",
    "f1",
    "words",
    "words_per_second",
    "decode_tokens_per_second",
    "prefill_tokens_per_second",
    "time_to_first_token",
    "contains",
    "reasoning_tokens",
    "reasoning_seconds",
    "time_to_first_answer",
)
"""The figures of a `ModelSummary` that are compared between runs."""


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """The figures of one model over the questions it answered.

    ``exact_match``, ``f1``, ``words`` and ``words_per_second`` are means over
    answers, the other speeds (tokens per second; seconds for the time to first
    token) medians. ``reference_bits_per_byte`` is the mean over questions of
    −log₂ p of the first reference per byte. None if nothing was measured.
    ``decode_is_estimate`` if tokens of some answers were not counted by the
    server, but are pieces of its stream.
    ``contains`` is the share of answers in which a reference stands as whole words.
    ``reasoning_tokens`` and ``reasoning_seconds`` are means over the answers that began with
    reasoning, ``time_to_first_answer`` (seconds) a median over them; ``unfinished`` counts the
    answers that ended inside their reasoning.
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
    reference_bits_per_byte: float | None = None
    decode_is_estimate: bool = False
    contains: float | None = None
    reasoning_tokens: float | None = None
    reasoning_seconds: float | None = None
    time_to_first_answer: float | None = None
    unfinished: int = 0


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """One question with its new and accepted answers.

    ``preferences`` holds s_i by model: −1 if the new answer ranks below the
    accepted one, +1 if above. ``orders_agreed`` says whether a judge that read
    the answers in two orders gave the same order both times. The bits are per
    byte, by model: of the first reference now and when accepted, and of the new
    answer; ``likelihoods`` are those of all texts that were scored. ``reasons`` and
    ``baseline_reasons`` are what the judge says of the new and the accepted answers, by model.
    ``reasoning`` is what models wrote before their new answers, ``unfinished`` names those whose
    answer ended inside it.
    """

    question: Question
    answers: Mapping[str, str]
    baseline_answers: Mapping[str, str]
    failures: Mapping[str, str]
    ranks: Mapping[str, float]
    preferences: Mapping[str, int]
    missing: str = ""
    orders_agreed: bool | None = None
    reference_bits: Mapping[str, float] = field(default_factory=dict)
    baseline_reference_bits: Mapping[str, float] = field(default_factory=dict)
    answer_bits: Mapping[str, float] = field(default_factory=dict)
    likelihoods: Mapping[str, Mapping[str, Likelihood]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    baseline_reasons: Mapping[str, str] = field(default_factory=dict)
    reasoning: Mapping[str, str] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BaselineQuestion:
    """The accepted answers to one question and their mid-ranks.

    ``likelihood`` holds bits per byte by measure (``reference``, ``answer``) and
    model; it is empty where nothing was scored. ``unfinished`` names the models whose answer
    ended inside their reasoning; the reasoning itself is not kept.
    """

    answers: Mapping[str, str]
    ranks: Mapping[str, float]
    likelihood: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()

    def judged_text(self, model: str) -> str | None:
        """Return the accepted answer of a model as it is compared; None without one."""
        return UNFINISHED if model in self.unfinished else self.answers.get(model)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The accepted state of a suite.

    ``accepted_speeds`` has ratios to the yardstick by model. ``speeds`` has bare rates and seconds,
    in files of the first version alone; they are shown but not compared. ``gate`` has the settings
    of the gate with which it was accepted; it is empty in files of earlier versions.
    """

    suite: str
    accepted_at: str
    reason: str
    provenance: Provenance
    models: Mapping[str, ModelSummary]
    tests: RankTests | None
    speeds: Mapping[str, SpeedSamples]
    questions: Mapping[str, BaselineQuestion]
    accepted_speeds: Mapping[str, AcceptedSpeed] = field(default_factory=dict)
    gate: Mapping[str, Setting] = field(default_factory=dict)

    def texts(self, model: str) -> dict[str, str]:
        """Return the accepted answers of a model by question id, as they are compared."""
        return {
            name: text
            for name, question in self.questions.items()
            if (text := question.judged_text(model)) is not None
        }


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """All results of a run for one suite.

    ``baseline_problem`` says why there is no comparison with a baseline (empty if
    there is), ``anchor`` is the accepted state that only a release moves, ``notes`` what a reader
    should know apart from the verdicts; ``repeatability`` has the models of which anything is
    known, ``from_store`` how many answers of each model an earlier run gave; ``margin`` is the
    net preference that may be lost, if the result says it. ``speeds`` are today's rates and times,
    ``accepted_speeds`` what would be accepted of them. ``gate`` has all settings of the gate,
    ``changes`` what this change does to the files that the gate rests on.
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
    accepted_speeds: Mapping[str, AcceptedSpeed] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    judges: JudgeReport | None = None
    anchor: Baseline | None = None
    repeatability: Mapping[str, Repeatability] = field(default_factory=dict)
    from_store: Mapping[str, int] = field(default_factory=dict)
    margin: float | None = None
    gate: Mapping[str, Setting] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
