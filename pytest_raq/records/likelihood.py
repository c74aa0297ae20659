"""How likely texts are after a prompt, and the evidence that follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping  # noqa: TC003 - read at run time
from dataclasses import dataclass, field

from pytest_raq.records.answers import Failure, Prompt
from pytest_raq.records.rankings import Interval  # noqa: TC001 - read at run time

REFERENCE = "reference"
"""The measure that is tested: bits per byte of the first reference."""

ANSWER = "answer"
"""The measure of drift: bits per byte of the accepted answer, for the model that gave it."""

UNAVAILABLE = "not available here"
"""Why an engine that tells no probabilities scores nothing."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """How likely one text is after a prompt.

    ``log_p`` is the sum over its tokens in nats, ``bytes`` its length in UTF-8.
    ``greedy`` has a 1 for each token that greedy decoding would have taken
    there, else a 0; empty if the engine does not tell.
    """

    log_p: float
    tokens: int
    bytes: int
    greedy: str = ""

    @property
    def bits_per_byte(self) -> float:
        """−log₂ p per byte: comparable between tokenizers."""
        return -self.log_p / math.log(2) / self.bytes

    @property
    def flips(self) -> int:
        """How many tokens greedy decoding would have chosen otherwise."""
        return self.greedy.count("0")


@dataclass(frozen=True, slots=True)
class ScorePrompt:
    """A prompt and the texts whose likelihood after it is wanted."""

    prompt: Prompt
    continuations: tuple[str, ...]

    @property
    def question_id(self) -> str:
        """The id of the question."""
        return self.prompt.question_id

    @property
    def block(self) -> int:
        """What is scored together has the same number."""
        return self.prompt.block


@dataclass(frozen=True, slots=True)
class Scores:
    """How likely texts are as answers of a model to a question.

    ``problems`` says of other texts why they cannot be scored: empty, or too long.
    """

    question_id: str
    model: str
    texts: Mapping[str, Likelihood] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


ScoreOutcome = Scores | Failure


@dataclass(frozen=True, slots=True)
class Drift:
    """An early warning: the accepted answers, read by today's model.

    ``bits_per_byte`` is the mean over questions, ``difference`` today minus
    accepted, where both are known; ``flips`` is the share of tokens of the
    accepted answers that greedy decoding would now choose otherwise.
    """

    questions: int
    bits_per_byte: float
    difference: float
    flips: float


@dataclass(frozen=True, slots=True)
class LikelihoodEvidence:
    """The likelihood test of one model: the first references, today and when accepted.

    ``now`` and ``before`` are mean bits per byte, ``difference`` is the
    winsorised mean of today minus accepted, so above 0 the truth has become
    less likely. ``p_value`` is one-sided (less likely), ``adjusted_p`` after
    Holm over the models. ``perplexity_ratio`` is today's perplexity per byte
    divided by the accepted one; ``detectable`` the loss that such a run finds
    with 80 % power.
    """

    questions: int
    passages: int
    now: float
    before: float
    difference: float
    interval: Interval
    p_value: float
    adjusted_p: float
    perplexity_ratio: float
    drift: Drift | None = None
    detectable: float = math.nan
