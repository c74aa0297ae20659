"""One suite in a run: answers, rankings and verdicts, pulled when asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.answering import engine_notes
from pytest_raq.baselines.acceptance import make_baseline, refuse_unmeasured, tell_accepted
from pytest_raq.baselines.comparison import differences, refuse, refuse_model
from pytest_raq.baselines.file import baseline_path, save_baseline
from pytest_raq.errors import MeasurementError
from pytest_raq.files import show_path
from pytest_raq.gate import is_failure
from pytest_raq.gate.evidence import Evidence, Material, gather_evidence, slowdown_of, verdict_of
from pytest_raq.machine import describe_machine, describe_versions
from pytest_raq.records import (
    Answer,
    Baseline,
    Decision,
    Failure,
    Provenance,
    QuestionResult,
    Ranking,
    SuiteResult,
    Verdict,
)
from pytest_raq.records.rankings import ACCEPTED, CANDIDATE
from pytest_raq.running.result import question_result
from pytest_raq.running.shards import Shard, slice_of
from pytest_raq.running.transfer import export_text, read_export, read_judging
from pytest_raq.speed.suite_speed import SpeedProbe, SuiteSpeed
from pytest_raq.stats.mid_ranks import candidate_ranking
from pytest_raq.stats.model_summary import summarize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_raq.answering import ModelAnswers
    from pytest_raq.config import SuiteDefinition
    from pytest_raq.judging.suite_rankings import SuiteRankings
    from pytest_raq.records import ModelSummary, Outcome, Question, QuestionSet, SpeedSamples


class SuiteRun:
    """A suite being run.

    Nothing is generated or judged before it is asked for; whatever is asked
    for twice is the same the second time.
    """

    def __init__(
        self,
        suite: SuiteDefinition,
        questions: QuestionSet,
        answers: Mapping[str, ModelAnswers],
        judging: SuiteRankings,
        *,
        baselines_folder: Path,
        baseline: Baseline | None = None,
        baseline_problem: str = "",
        originals: Mapping[str, ModelAnswers] | None = None,
    ) -> None:
        self.suite = suite
        self.questions = questions.questions
        self._set = questions
        self._by_id = {question.id: question for question in questions.questions}
        self._answers = answers
        self._judging = judging
        self._baselines_folder = baselines_folder
        self._baseline = baseline
        self._baseline_problem = baseline_problem
        self._originals = originals or {}
        self.speeds = SuiteSpeed()
        self._evidence: Evidence | None = None
        self._told: set[str] = set()
        self._was_accepted = False
        self._machine = describe_machine()
        self.shard: Shard | None = None
        self.asked = self.questions
        if baseline is not None:
            self.compare_with(baseline)

    def compare_with(self, baseline: Baseline) -> None:
        """Hold this run against a baseline, wherever it comes from."""
        why = refuse(baseline, self.provenance)
        self._baseline = baseline
        self._baseline_problem = f"{self._path} does not fit: {why}" if why else ""
        self._judging.forget()
        self._evidence = None

    def restrict_to(self, shard: Shard) -> None:
        """Ask only the questions of a shard; what they are decided by comes later, from all."""
        self.shard, self.asked = shard, slice_of(self.questions, shard)
        for answers in self._answers.values():
            answers.plan(question.id for question in self.asked)

    def take_over(self, provenance: Provenance) -> None:
        """Answer nothing here: what was answered and timed elsewhere is absorbed."""
        for model, answers in self._answers.items():
            answers.take_over(provenance.models[model])
        self._machine = dict(provenance.machine)
        if self._baseline is not None:
            self.compare_with(self._baseline)

    @property
    def models(self) -> list[str]:
        """The names of the models, in the order of the suite."""
        return list(self._answers)

    @property
    def _path(self) -> str:
        """Where the baseline is, as it is shown."""
        return show_path(baseline_path(self._baselines_folder, self.suite.name))

    @property
    def provenance(self) -> Provenance:
        """Where the figures of this run come from."""
        return Provenance(
            source=self._set.source,
            revision=self._set.revision,
            fingerprint=self._set.fingerprint,
            questions=len(self.questions),
            judge=self._judging.judge.identity,
            models={name: answers.provenance for name, answers in self._answers.items()},
            versions=describe_versions(),
            machine=self._machine,
        )

    @property
    def has_results(self) -> bool:
        """Whether anything was asked for yet."""
        return any(answers.in_hand() for answers in self._answers.values()) or bool(
            self.speeds.samples
        )

    def plan(self, model: str, question_ids: Iterable[str]) -> None:
        """Say which questions a model will be asked."""
        self._answers[model].plan(question_ids)

    def answer(self, model: str, question_id: str) -> Outcome:
        """Return a model's answer to a question, or why there is none."""
        return self._answers[model].get(question_id)

    def question(self, question_id: str) -> Question:
        """Return a question by its id."""
        return self._by_id[question_id]

    def was_told(self, reason: str) -> bool:
        """Whether something failed for the same reason before; remember it."""
        known = reason in self._told
        self._told.add(reason)
        return known

    def ranking(self, question_id: str) -> Ranking:
        """Return the mid-ranks of today's answers by model, or why they are missing."""
        return candidate_ranking(self._joint_ranking(question_id))

    def _joint_ranking(self, question_id: str) -> Ranking:
        if question_id not in self._judging.rankings:
            for answers in self._answers.values():
                answers.get(question_id)
            self._rank([question_id])
        return self._judging.rankings[question_id]

    def _rank(self, question_ids: Iterable[str]) -> None:
        """Rank questions whose answers are in hand, today's and accepted ones together."""
        if self._judging.rank(question_ids, self._complete, self._entry):
            self._evidence = None

    def _complete(self) -> list[str]:
        """Return the questions about which every model has an outcome in hand."""
        in_hand = [answers.in_hand() for answers in self._answers.values()]
        return [q.id for q in self.questions if all(q.id in outcomes for outcomes in in_hand)]

    def _entry(self, question_id: str) -> tuple[Question, dict[str, str]]:
        return self._by_id[question_id], self._contestants(question_id)

    def _contestants(self, question_id: str) -> dict[str, str]:
        texts = {}
        for model, answers in self._answers.items():
            outcome = answers.in_hand().get(question_id)
            if isinstance(outcome, Answer):
                texts[CANDIDATE + model] = outcome.text
                accepted = self._accepted(model, question_id)
                if accepted is not None:
                    texts[ACCEPTED + model] = accepted
        return texts

    def _accepted(self, model: str, question_id: str) -> str | None:
        """Return the accepted answer of a model, where it may be compared."""
        if self._baseline is None or self._problem_of(model):
            return None
        question = self._baseline.questions.get(question_id)
        return None if question is None else question.answers.get(model)

    def _problem_of(self, model: str) -> str:
        """Return why a model cannot be compared with the baseline; empty when it can."""
        if self._baseline is None or self._baseline_problem:
            return self._baseline_problem
        why = refuse_model(self._baseline, self._answers[model].provenance, model)
        return f"{self._path} does not fit: {why}; accept with --raq-update" if why else ""

    def speed_probe(self, model: str) -> SpeedProbe:
        """Return what times a model, and beside it the accepted file that it replaces."""
        original = self._originals.get(model)
        before = self._baseline.provenance.models.get(model) if self._baseline else None
        at_hand = original and before and original.file_sha256 == before.file_sha256
        return SpeedProbe(self._answers[model], self.questions, original if at_hand else None)

    def keep_speed(self, model: str, samples: SpeedSamples, accepted: SpeedSamples) -> None:
        """Keep what the probe measured."""
        self.speeds.keep(model, samples, accepted)
        self._evidence = None

    def slowdown(self, model: str) -> float | None:
        """Return the lowest ratio of a model's speeds where the gate calls it slower; else None."""
        return slowdown_of(model, self._material(), self.suite.gate)

    def verdict(self, model: str) -> Verdict:
        """Return the gate's word on a model; asks for all answers and rankings."""
        for answers in self._answers.values():
            answers.get_all()
        self._rank(question.id for question in self.questions)
        return self._verdict(model)

    def fails(self, verdict: Verdict, *, updating: bool = False) -> bool:
        """Whether a verdict fails its test; while accepting, only what was not measured does."""
        if updating:
            return verdict.decision is Decision.NOT_MEASURED
        return is_failure(verdict, self.suite.gate)

    def _verdict(self, model: str) -> Verdict:
        verdict = verdict_of(model, self._gathered(), self.suite.gate)
        more = []
        outcomes = self._answers[model].in_hand().values()
        why = next((item.reason for item in outcomes if isinstance(item, Failure)), "")
        if verdict.decision is Decision.NOT_MEASURED and why:
            more.append(f"the first failure: {why}")
        comparable = self._comparable
        timed = comparable is not None and bool(comparable.speeds.get(model))
        if timed and verdict.quality is not None and model not in self.speeds.samples:
            more.append("speed is not measured in this run")
        if times := self.speeds.times.get(model):
            more.append(f"speed was measured {times} times, with pauses: the fastest is told")
        return replace(verdict, reasons=(*verdict.reasons, *more))

    def _gathered(self) -> Evidence:
        if self._evidence is None:
            self._evidence = gather_evidence(self._material(), self.suite.gate)
        return self._evidence

    def _material(self) -> Material:
        comparable = self._comparable
        before = comparable.provenance.machine if comparable else None
        return Material(
            questions=self.questions,
            outcomes={name: answers.in_hand() for name, answers in self._answers.items()},
            rankings=self._judging.rankings,
            problems={model: self._problem_of(model) for model in self._answers},
            baseline=comparable,
            speeds=self.speeds.samples,
            accepted_speeds=self.speeds.accepted,
            same_machine=None if before is None else dict(before) == self._machine,
            seed=self.suite.dataset.seed,
            judge_problems=self._judging.bench.problems,
        )

    @property
    def _comparable(self) -> Baseline | None:
        return None if self._baseline_problem else self._baseline

    def result(self) -> SuiteResult:
        """Return what is known, without asking for anything more."""
        if self._judging.is_wanted:
            self._rank(self._complete())
        evidence = self._gathered()
        comparable = self._comparable
        names = {CANDIDATE + model: model for model in self._answers}
        return SuiteResult(
            suite=self.suite.name,
            models={name: self._summary(name, evidence) for name in self._answers},
            tests=evidence.tests,
            verdicts={
                name: verdict
                for name in self._answers
                if not (self.shard or self._is_settled(verdict := self._verdict(name)))
            },
            questions=tuple(self._question_result(question) for question in self.questions),
            provenance=self.provenance,
            passages=len({question.cluster for question in self.questions}),
            baseline=comparable,
            baseline_problem=self._baseline_problem,
            standing=evidence.standing,
            speeds=self.speeds.samples,
            notes=self._notes(comparable),
            judges=self._judging.bench.report(names, self._contestants),
        )

    def _is_settled(self, verdict: Verdict) -> bool:
        """Whether the lack of a baseline was mended by accepting this run."""
        return self._was_accepted and verdict.decision is Decision.NO_BASELINE

    def _summary(self, model: str, evidence: Evidence) -> ModelSummary:
        tests = evidence.tests
        return summarize(
            model,
            self._answers[model].in_hand(),
            self._by_id,
            mean_rank=tests.mean_ranks.get(model) if tests else None,
            interval=tests.intervals.get(model) if tests else None,
        )

    def _question_result(self, question: Question) -> QuestionResult:
        outcomes = {
            model: answers.in_hand()[question.id]
            for model, answers in self._answers.items()
            if question.id in answers.in_hand()
        }
        ranking = self._judging.rankings.get(question.id)
        return question_result(
            question,
            outcomes,
            {model: self._accepted(model, question.id) for model in self._answers},
            candidate_ranking(ranking) if ranking else None,
            self._gathered().preferences,
        )

    def _notes(self, baseline: Baseline | None) -> tuple[str, ...]:
        notes = [*self._set.notes, *self.engine_notes, *self._judging.notes()]
        if self.shard:
            notes.append(
                f"shard {self.shard}: {len(self.asked)} of {len(self.questions)} questions;"
                " raq merge decides"
            )
        if baseline is not None:
            notes += [
                f"differs from the baseline: {text}"
                for text in differences(baseline.provenance, self.provenance)
            ]
        return tuple(notes)

    @property
    def engine_notes(self) -> list[str]:
        """What a reader should know of the engines that answered."""
        return engine_notes(self._answers.values())

    def accept(self, reason: str = "") -> list[str]:
        """Write this run as the baseline and say what was accepted.

        MeasurementError when a question of a model has no answer or no
        ranking; the old baseline then stays.
        """
        in_hand = {name: answers.in_hand() for name, answers in self._answers.items()}
        refuse_unmeasured(self._path, in_hand, self.questions, self._joint_ranking)
        for problem in self._judging.bench.problems:
            raise MeasurementError(f"{self._path} is not updated: {problem}")
        accepted = make_baseline(self.result(), reason)
        save_baseline(self._baselines_folder, accepted)
        self._was_accepted = True
        return tell_accepted(self._path, accepted, self._baseline)

    def export(self) -> str:
        """Return what this process found out, for another process of the same run."""
        outcomes = [o for answers in self._answers.values() for o in answers.found_here()]
        found, spent = self._judging.found, self._judging.judge.spending
        bench = self._judging.bench.export()
        return export_text(
            outcomes, self.speeds.samples, self.speeds.accepted, found, spent, bench=bench
        )

    def absorb(self, text: str) -> None:
        """Take over what another process exported."""
        outcomes, speeds, accepted = read_export(text)
        for model, answers in self._answers.items():
            answers.absorb(outcome for outcome in outcomes if outcome.model == model)
        self.speeds.absorb(speeds, accepted)
        rankings, spent, bench = read_judging(text)
        self._judging.absorb(rankings, spent)
        self._judging.bench.absorb(bench)
        self._evidence = None

    def stop_judging(self) -> None:
        """Let a judge that costs something rank nothing more, unless it is asked for."""
        self._judging.give_up()

    @property
    def spent(self) -> str:
        """What the judge cost in this run, in words; empty when it was asked nothing."""
        return self._judging.spent

    def close(self) -> None:
        """Free what the judge holds; safe to call twice."""
        self._judging.close()
