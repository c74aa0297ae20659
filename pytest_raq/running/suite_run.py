"""One suite in a run: answers, rankings and verdicts, made on request."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_raq.answering.suite_answers import SuiteAnswers
from pytest_raq.answering.suite_likelihoods import SuiteLikelihoods
from pytest_raq.baselines.acceptance import (
    make_baseline,
    next_anchor,
    refuse_unexplained,
    refuse_unmeasured,
    tell_accepted,
)
from pytest_raq.baselines.comparison import SET_ANCHOR, BaselineComparison
from pytest_raq.baselines.file import save_anchor, save_baseline
from pytest_raq.errors import MeasurementError
from pytest_raq.machine import describe_machine, describe_versions
from pytest_raq.records import Provenance
from pytest_raq.running.accepted_states import hold_against
from pytest_raq.running.likelihoods import texts_to_score
from pytest_raq.running.repeatability import ask_as_accepted
from pytest_raq.running.repeats import SuiteRepeats
from pytest_raq.running.result import make_result
from pytest_raq.running.run_parts import RunParts
from pytest_raq.running.shards import Shard, slice_of
from pytest_raq.running.speed import RunSpeed
from pytest_raq.running.transfer import absorb_into, export_run
from pytest_raq.running.verdicts import SuiteVerdicts
from pytest_raq.speed.suite_speed import SuiteSpeed
from pytest_raq.stats.mid_ranks import candidate_ranking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pytest_raq.answering import ModelAnswers
    from pytest_raq.answering.likelihoods import ModelLikelihoods
    from pytest_raq.baselines.comparison import AcceptedStates
    from pytest_raq.config import SuiteDefinition
    from pytest_raq.judging.suite_rankings import SuiteRankings
    from pytest_raq.records import (
        Baseline,
        Outcome,
        Question,
        QuestionSet,
        Ranking,
        SpeedMeasurement,
        SuiteResult,
        Verdict,
    )
    from pytest_raq.running.speed import SpeedSource
    from pytest_raq.running.variants import Variants
    from pytest_raq.speed.turns import TurnProbe


class SuiteRun:
    """A running suite: it connects its parts, each of which owns its own state.

    ``parts`` has its parts; some are here too: ``answers``, ``comparison``, ``rankings``,
    ``speeds``, ``verdicts``. ``keys`` are the variables whose values servers get, and their hosts.
    Nothing is generated or judged before it is requested; a second request
    returns the same result.
    """

    def __init__(
        self,
        suite: SuiteDefinition,
        questions: QuestionSet,
        answers: Mapping[str, ModelAnswers],
        rankings: SuiteRankings,
        *,
        baselines_folder: Path,
        accepted: AcceptedStates,
        variants: Variants,
        speed_source: SpeedSource,
        likelihoods: Mapping[str, ModelLikelihoods] | None = None,
    ) -> None:
        self.suite = suite
        self.questions = self.asked = questions.questions
        self.shard: Shard | None = None
        self.keys: Mapping[str, str] = {}
        self.answers = SuiteAnswers(answers)
        self.rankings = rankings
        self.speeds = SuiteSpeed()
        self._baselines_folder = baselines_folder
        path, where = accepted.names
        self.comparison = BaselineComparison(path, accepted.baseline_problem)
        self.anchor = BaselineComparison(where, accepted.anchor_problem, remedy=SET_ANCHOR)
        self._variants = variants
        self.likelihoods = SuiteLikelihoods(likelihoods or {})
        self.parts = RunParts(
            suite,
            questions,
            self.answers,
            self.comparison,
            self.anchor,
            rankings,
            self.speeds,
            SuiteRepeats(),
            self.likelihoods,
            frozenset(speed_source.models.originals),
        )
        self.likelihoods.connect(partial(texts_to_score, self.parts))
        self.questions_by_id = self.parts.by_id
        self.describe_change: Callable[[], tuple[str, ...]] = tuple
        self.speed = RunSpeed(self.parts, variants, speed_source)
        self.verdicts = SuiteVerdicts(self.parts, describe_machine(), self.speed)
        self.compare_with(accepted.baseline, accepted.anchor)

    def compare_with(self, baseline: Baseline | None, anchor: Baseline | None = None) -> None:
        """Compare this run with the given accepted states."""
        if baseline is not None or anchor is not None:  # else no engine need be asked what it is
            now, judge = self.provenance, self.rankings.judge
            hold_against(self.comparison, baseline, now, self.parts, judge)
            hold_against(self.anchor, anchor, now, self.parts, judge)
        self.rankings.forget()
        self.verdicts.forget()

    def restrict_to(self, shard: Shard) -> None:
        """Ask only the questions of a shard; verdicts are made later, from all shards."""
        self.shard, self.asked = shard, slice_of(self.questions, shard)
        self.answers.plan([question.id for question in self.asked])

    def take_over(self, provenance: Provenance) -> None:
        """Generate no answers here: answers and timings from elsewhere are absorbed."""
        self.answers.take_over(provenance.models)
        self.likelihoods.take_over()
        self.keys = provenance.keys
        self.verdicts.machine = dict(provenance.machine)
        self.compare_with(self.comparison.baseline, self.anchor.baseline)

    @property
    def models(self) -> list[str]:
        """The names of the models, in the order of the suite."""
        return self.answers.models

    @property
    def provenance(self) -> Provenance:
        """The provenance of the figures of this run."""
        questions = self.parts.questions
        return Provenance(
            source=questions.source,
            revision=questions.revision,
            fingerprint=questions.fingerprint,
            questions=len(self.questions),
            judge=self.rankings.judge.identity,
            models=self.answers.provenance,
            versions=describe_versions(),
            machine=self.verdicts.machine,
            keys=self.keys,
        )

    @property
    def has_results(self) -> bool:
        """Whether anything was requested yet."""
        return self.answers.has_any or bool(self.speeds.measured)

    def answer(self, model: str, question_id: str) -> Outcome:
        """Return a model's answer to a question, or the reason why there is none."""
        return self.answers.of(model).get(question_id)

    def ranking(self, question_id: str) -> Ranking:
        """Return the mid-ranks of the new answers by model, or why they are missing."""
        return candidate_ranking(self._joint_ranking(question_id))

    def _joint_ranking(self, question_id: str) -> Ranking:
        if question_id not in self.rankings.rankings:
            self.answers.ask(question_id)
            self._rank([question_id])
        return self.rankings.rankings[question_id]

    def _rank(self, question_ids: Iterable[str]) -> None:
        """Rank questions that have their answers, new and accepted ones together."""
        parts = self.parts

        def entry(question_id: str) -> tuple[Question, Mapping[str, str]]:
            return self.questions_by_id[question_id], parts.joint_texts(question_id)

        def ready() -> list[str]:
            return self.answers.complete(parts.question_ids)

        if self.rankings.rank(question_ids, ready, entry):
            self.verdicts.forget()

    def speed_probe(self, model: str) -> TurnProbe:
        """Return the probe of a model, and of what it is timed in turns with."""
        return self.speed.probe(model)

    def keep_speed(self, model: str, measurement: SpeedMeasurement) -> None:
        """Keep what the probe measured."""
        is_unchanged = model in self.speed.unchanged()
        described = self.speed.describe(model, measurement)
        self.speeds.keep(model, replace(described, is_unchanged=is_unchanged))
        self.verdicts.forget()

    def speed_is_clear(self, model: str) -> bool:
        """Return whether more processes would not change what is said of a model's speed."""
        return self.verdicts.speed_is_clear(model)

    def verdict(self, model: str) -> Verdict:
        """Return the gate's verdict on a model; needs all answers and rankings."""
        self.answers.ask_all()
        self.likelihoods.obtain(self.parts.question_ids)
        self._rank(self.parts.question_ids)
        ask_as_accepted(self.parts, self._variants, model)
        return self.verdicts.of(model)

    def result(self) -> SuiteResult:
        """Return what is known, without starting any further work."""
        if self.rankings.is_wanted:
            self._rank(self.answers.complete(self.parts.question_ids))
        notes = []
        if self.shard:
            asked = f"{len(self.asked)} of {len(self.questions)} questions"
            notes.append(f"shard {self.shard}: {asked}; raq merge decides")
        decides = not self.shard
        result = make_result(
            self.parts, self.verdicts, self.provenance, decides=decides, notes=notes
        )
        return replace(result, changes=self.describe_change())

    def accept(self, reason: str = "", *, as_anchor: bool = False) -> list[str]:
        """Write this run as the baseline and return what was accepted.

        With ``as_anchor`` it becomes the anchor too. Raises MeasurementError when a question of
        a model has no answer or no ranking, or when there is no reason to accept a
        verdict that is not good; then the old baseline stays.
        """
        path = self.comparison.path
        refuse_unmeasured(path, self.answers.in_hand(), self.questions, self._joint_ranking)
        for problem in (*self.parts.same_models().values(), *self.rankings.checked_panel.problems):
            raise MeasurementError(f"{path} is not updated: {problem}")
        self.likelihoods.obtain(self.parts.question_ids)
        result = self.result()
        refuse_unexplained(path, result.verdicts.values(), reason, self.parts.laxer())
        accepted, folder = make_baseline(result, reason), self._baselines_folder
        save_baseline(folder, accepted)
        anchor, told = next_anchor(self.comparison.baseline, self.anchor, accepted, moved=as_anchor)
        if anchor is not None:
            save_anchor(folder, anchor)
        self.comparison.was_accepted = True
        self.anchor.was_accepted = as_anchor
        return [*tell_accepted(path, accepted, self.comparison.baseline), *told]

    def export(self) -> str:
        """Return the results of this process, for another process of the same run."""
        return export_run(self.parts)

    def absorb(self, text: str) -> None:
        """Take over what another process exported."""
        absorb_into(self.parts, text)
        self.verdicts.forget()

    def close(self) -> None:
        """Free what the judge holds; may be called twice."""
        self.rankings.close()
