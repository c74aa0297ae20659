"""What a test of a suite holds: each check pulls its result and fails with one line."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_raq.errors import InconclusiveWarning, RaqError
from pytest_raq.pipeline.confirming import confirm_speed
from pytest_raq.plugin.properties import describe_answer, describe_verdict, record_properties
from pytest_raq.records import Decision, Failure
from pytest_raq.report import verdict_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_raq.pipeline import SuiteRun
    from pytest_raq.records import Answer, Ranking, Verdict


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
    pytest.fail(reason, pytrace=False)


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """One model and one question."""

    run: SuiteRun
    model: str
    question_id: str
    node: pytest.Item

    def check(self) -> Answer:
        """Return the answer; fail with the reason when there is none.

        A reason that was told for another question of the model is marked,
        so that sixty questions of a model that did not load are one failure
        to read.
        """
        outcome = self.run.answer(self.model, self.question_id)
        told = {"suite": self.run.suite.name, "model": self.model, "question_id": self.question_id}
        question = self.run.question(self.question_id)
        record_properties(self.node, {**told, **describe_answer(outcome, question)})
        if isinstance(outcome, Failure):
            if self.run.was_told(outcome.reason):
                self.node.user_properties.append(("raq", "not answered"))
            _fail(f"{self.model} gave no answer to {self.question_id}: {outcome.reason}")
        assert not isinstance(outcome, Failure)
        return outcome


@dataclass(frozen=True, slots=True)
class RankingCheck:
    """One question, its answers ranked."""

    run: SuiteRun
    question_id: str
    node: pytest.Item

    def check(self) -> Ranking:
        """Return the ranking; fail with the reason when it is missing, marked if told before."""
        ranking = self.run.ranking(self.question_id)
        ranks = {f"rank_{model}": rank for model, rank in ranking.ranks.items()}
        told = {"suite": self.run.suite.name, "question_id": self.question_id}
        record_properties(self.node, {**told, **ranks, "missing": ranking.missing or None})
        if ranking.missing:
            if self.run.was_told(ranking.missing):
                self.node.user_properties.append(("raq", "not ranked"))
            _fail(f"{self.question_id} has no ranking: {ranking.missing}")
        return ranking


@dataclass(frozen=True, slots=True)
class SpeedCheck:
    """One model, timed by pytest-benchmark."""

    run: SuiteRun
    model: str
    node: pytest.Item

    def check(self, benchmark: Benchmark) -> Mapping[str, tuple[float, ...]]:
        """Time the probe questions; skip, never pass, where nothing can be timed."""
        if self.run.shard and not self.run.shard.is_first:
            pytest.skip(f"shard {self.run.shard}: speed is measured by the first")
        if benchmark.disabled:
            pytest.skip("speed is not measured: pytest-benchmark is disabled in this run")
        probe = self.run.speed_probe(self.model)
        problem = ""
        try:
            benchmark.pedantic(
                probe.measure,
                setup=probe.measure_accepted,
                rounds=probe.rounds,
                warmup_rounds=probe.warmup_rounds,
            )
            self.run.keep_speed(self.model, probe.samples(), probe.accepted_samples())
            confirm_speed(self.run, self.model)
        except RaqError as exc:
            problem = str(exc)
        if problem:
            _fail(f"{self.model}: speed is not measured: {problem}")
        samples, _ = self.run.speeds.of(self.model)
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
        """Return the verdict; fail with its evidence unless it may pass.

        While a baseline is being accepted only what was not measured fails.
        """
        if self.run.shard:
            pytest.skip(f"shard {self.run.shard}: raq merge decides, from all shards")
        verdict = self.run.verdict(self.model)
        told = {"suite": self.run.suite.name}
        record_properties(self.node, {**told, **describe_verdict(verdict)})
        text = "\n".join(line.text for line in verdict_lines(verdict))
        if self.run.fails(verdict, updating=self.updating):
            _fail(text)
        if verdict.decision is Decision.INCONCLUSIVE:
            warnings.warn(text, InconclusiveWarning, stacklevel=2)
        return verdict
