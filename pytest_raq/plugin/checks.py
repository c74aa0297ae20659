"""What each test of a suite checks, and what it writes to JUnit XML."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_raq.errors import InconclusiveWarning, RaqError
from pytest_raq.gate import is_failure
from pytest_raq.records import Answer, Decision, Failure
from pytest_raq.report import verdict_lines
from pytest_raq.speed.rounds import finish_probe
from pytest_raq.stats.model_summary import score
from pytest_raq.text import log_text, message_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_raq.records import Outcome, Question, Ranking, Verdict
    from pytest_raq.running import SuiteRun

_REPORTED = pytest.StashKey[set[tuple[str, str]]]()
"""Failure reasons by suite: a model that does not load is one failure, not one per question."""


LIMIT = 1_000
"""Maximum length of one property: a report of ten thousand tests must stay readable."""

# The characters of XML 1.0, without the control characters that it allows but discourages.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]"
)
_INVISIBLE = re.compile("[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")

Properties = dict[str, object]


def property_text(value: object) -> str | None:
    """Return a value as text that is valid in XML 1.0 and has no marks of text direction.

    Long text is cut. Returns None for an unknown value.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    text = text if len(text) <= LIMIT else text[: LIMIT - 1] + "…"
    return _INVISIBLE.sub("\ufffd", _FORBIDDEN.sub("\ufffd", text))


def record_properties(node: pytest.Item, properties: Mapping[str, object]) -> None:
    """Add properties to a test, except unknown ones."""
    for name, value in properties.items():
        if (text := property_text(value)) is not None:
            node.user_properties.append((f"raq_{name}", text))


def describe_answer(outcome: Outcome, question: Question) -> Properties:
    """Return a model's answer with exact match, F1 and speed, or why there is no answer."""
    if not isinstance(outcome, Answer):
        return {"failure": outcome.reason}
    scored = score(outcome.judged_text, question.references)
    return {
        "answer": outcome.text,
        "exact_match": scored.exact_match,
        "f1": scored.f1,
        "contains": scored.contains,
        "words_per_second": outcome.words_per_second,
        "decode_tokens_per_second": outcome.timing.decode_tokens_per_second,
    }


def describe_verdict(verdict: Verdict) -> Properties:
    """Return a verdict with its evidence."""
    told: Properties = {
        "model": verdict.model,
        "verdict": verdict.decision.value,
        "reasons": "; ".join(verdict.reasons),
    }
    if (quality := verdict.quality) is not None:
        told |= {
            "net_preference": quality.net_preference,
            "net_preference_low": quality.interval.low,
            "net_preference_high": quality.interval.high,
            "p_value": quality.adjusted_p,
            "worse": quality.worse,
            "better": quality.better,
            "questions": quality.questions,
        }
    return told


class Benchmark(Protocol):
    """The part of pytest-benchmark's fixture that is used."""

    disabled: bool
    extra_info: dict[str, object]

    def pedantic(
        self,
        target: Callable[[], object],
        *,
        setup: Callable[[], None],
        rounds: int,
        warmup_rounds: int,
    ) -> object:
        """Call ``setup``, then ``target``, that many times; keep how long the target took."""


def _fail(reason: str) -> None:
    pytest.fail("\n".join(message_text(line) for line in reason.split("\n")), pytrace=False)


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """One model and one question."""

    run: SuiteRun
    model: str
    question_id: str
    node: pytest.Item

    def check(self) -> Answer:
        """Return the answer; fail with the reason if there is none.

        A reason that was reported for another question of the model is marked,
        so that sixty questions of a model that did not load are only one failure
        to read.
        """
        outcome = self.run.answer(self.model, self.question_id)
        told = {"suite": self.run.suite.name, "model": self.model, "question_id": self.question_id}
        question = self.run.questions_by_id[self.question_id]
        record_properties(self.node, {**told, **describe_answer(outcome, question)})
        if isinstance(outcome, Failure):
            if _was_reported(self.node, self.run, outcome.reason):
                self.node.user_properties.append(("raq", "not answered"))
            _fail(f"{self.model} gave no answer to {self.question_id}: {outcome.reason}")
        assert not isinstance(outcome, Failure)
        return outcome


def _was_reported(node: pytest.Item, run: SuiteRun, reason: str) -> bool:
    """Return whether something in a suite failed for the same reason before; remember it."""
    reported = node.config.stash.setdefault(_REPORTED, set())
    key = (str(run.suite.path), reason)
    known = key in reported
    reported.add(key)
    return known


@dataclass(frozen=True, slots=True)
class RankingCheck:
    """One question, its answers ranked."""

    run: SuiteRun
    question_id: str
    node: pytest.Item

    def check(self) -> Ranking:
        """Return the ranking; fail with the reason if missing, marked if reported before."""
        ranking = self.run.ranking(self.question_id)
        ranks = {f"rank_{model}": rank for model, rank in ranking.ranks.items()}
        told = {"suite": self.run.suite.name, "question_id": self.question_id}
        record_properties(self.node, {**told, **ranks, "missing": ranking.missing or None})
        if ranking.missing:
            if _was_reported(self.node, self.run, ranking.missing):
                self.node.user_properties.append(("raq", "not ranked"))
            _fail(f"{self.question_id} has no ranking: {ranking.missing}")
        return ranking


def _attempt(work: Callable[[], None]) -> Callable[[], object] | None:
    """Do something; return None, or a function that raises what went wrong."""
    try:
        work()
    except RaqError as exc:
        problem = exc

        def fail() -> object:
            raise problem

        return fail
    return None


@dataclass(frozen=True, slots=True)
class SpeedCheck:
    """One model, timed by pytest-benchmark."""

    run: SuiteRun
    model: str
    node: pytest.Item

    def check(self, benchmark: Benchmark) -> Mapping[str, tuple[float, ...]]:
        """Time the probe questions; skip, never pass, if nothing can be timed."""
        if self.run.shard and not self.run.shard.is_first:
            pytest.skip(f"shard {self.run.shard}: the first shard measures speed")
        if benchmark.disabled:
            pytest.skip("speed is not measured: pytest-benchmark is disabled in this run")
        probe = self.run.speed_probe(self.model)
        problem = ""
        try:
            # Within a call of the benchmark: it complains if it was not used.
            failed = _attempt(probe.begin)
            benchmark.pedantic(
                failed or probe.measure,
                setup=(lambda: None) if failed else probe.before_round,
                rounds=1 if failed else probe.rounds,
                warmup_rounds=0,
            )
            finish_probe(self.run, self.model, probe)
        except RaqError as exc:
            problem = str(exc)
        finally:
            probe.close()
        if problem:
            _fail(f"{self.model}: speed is not measured: {problem}")
        samples = self.run.speeds.of(self.model).samples
        medians = self.run.speeds.medians(self.model)
        benchmark.extra_info.update(medians)
        told = {"suite": self.run.suite.name, "model": self.model}
        record_properties(self.node, {**told, **medians})
        return samples


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One model, judged against its baseline."""

    run: SuiteRun
    model: str
    node: pytest.Item
    updating: bool

    def check(self) -> Verdict:
        """Return the verdict; fail with its evidence unless it passes.

        While a baseline is being accepted, only NOT_MEASURED fails.
        """
        if self.run.shard:
            pytest.skip(f"shard {self.run.shard}: raq merge decides, from all shards")
        verdict = self.run.verdict(self.model)
        told = {"suite": self.run.suite.name}
        record_properties(self.node, {**told, **describe_verdict(verdict)})
        text = "\n".join(line.text for line in verdict_lines(verdict))
        if is_failure(verdict, self.run.suite.gate, updating=self.updating):
            _fail(text)
        if verdict.decision in {Decision.INCONCLUSIVE, Decision.SUSPECT}:
            warnings.warn(log_text(text), InconclusiveWarning, stacklevel=2)
        return verdict
