"""The verdicts of a run, from the results so far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.gate.evidence import Evidence, Material, gather_evidence, slowdown_of, verdict_of
from pytest_raq.gate.likelihood import TruthEvidence, combine
from pytest_raq.records import Decision, Failure
from pytest_raq.running.likelihoods import expected_scores, suite_evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.records import Verdict
    from pytest_raq.running.run_parts import RunParts


class SuiteVerdicts:
    """The gate's verdict on each model; evidence is gathered once for the results so far.

    ``machine`` is the machine of the run; `forget` is called when there are more
    results.
    """

    def __init__(self, parts: RunParts, machine: Mapping[str, str]) -> None:
        self._parts = parts
        self._gate = parts.suite.gate
        self.machine = machine
        self._evidence: Evidence | None = None
        self._likelihood: dict[str, TruthEvidence] | None = None

    def forget(self) -> None:
        """Gather evidence again, because there are new results."""
        self._evidence = None
        self._likelihood = None

    def evidence(self) -> Evidence:
        """Return the evidence from the results so far."""
        if self._evidence is None:
            self._evidence = gather_evidence(self._material(), self._gate)
        return self._evidence

    def slowdown(self, model: str) -> float | None:
        """Return the lowest ratio of a model's speeds if the gate finds it slower, else None."""
        return slowdown_of(model, self._material(), self._gate)

    def likelihood(self) -> dict[str, TruthEvidence]:
        """Return the likelihood tests of each model, from the results so far."""
        if self._likelihood is None:
            self._likelihood = suite_evidence(self._parts)
        return self._likelihood

    def of(self, model: str) -> Verdict:
        """Return the gate's verdict on a model, from the results so far."""
        verdict = combine(
            verdict_of(model, self.evidence(), self._gate),
            self.likelihood()[model],
            self._gate,
            expected=expected_scores(self._parts),
            preferences=self.evidence().preferences.get(model, {}),
            clusters={item.id: item.cluster for item in self._parts.questions.questions},
        )
        return replace(verdict, reasons=(*verdict.reasons, *self._more_reasons(model, verdict)))

    def _more_reasons(self, model: str, verdict: Verdict) -> Iterator[str]:
        outcomes = self._parts.answers.of(model).in_hand().values()
        why = next((item.reason for item in outcomes if isinstance(item, Failure)), "")
        if verdict.decision is Decision.NOT_MEASURED and why:
            yield f"the first failure: {why}"
        comparable, speeds = self._parts.comparison.comparable, self._parts.speeds
        timed = comparable is not None and bool(comparable.speeds.get(model))
        if timed and verdict.quality is not None and model not in speeds.samples:
            yield "speed was not measured in this run"
        unlike = self._unlike_kernels().get(model)
        if timed and unlike and model in speeds.samples and model not in speeds.accepted:
            yield f"speed not compared: {unlike}"
        if times := speeds.times.get(model):
            yield f"speed was measured {times} times, with pauses: the fastest is reported"

    def _unlike_kernels(self) -> dict[str, str]:
        """Return the models that the baseline timed with other kernels, and with which."""
        comparable = self._parts.comparison.comparable
        before = comparable.provenance.models if comparable else {}
        return {
            model: f"{now.kernels_timed} kernels against {before[model].kernels_timed} ones"
            for model, now in self._parts.answers.provenance.items()
            if model in before and now.kernels_timed != before[model].kernels_timed
        }

    def _material(self) -> Material:
        parts = self._parts
        comparable = parts.comparison.comparable
        before = comparable.provenance.machine if comparable else None
        return Material(
            questions=parts.questions.questions,
            outcomes=parts.answers.in_hand(),
            rankings=parts.rankings.rankings,
            problems=parts.problems(),
            baseline=comparable,
            speeds=parts.speeds.samples,
            accepted_speeds=parts.speeds.accepted,
            same_machine=None if before is None else dict(before) == dict(self.machine),
            seed=parts.suite.dataset.seed,
            judge_problems=parts.rankings.checked_panel.problems,
            judge_accuracy=parts.rankings.checked_panel.accuracy_bound,
            unchanged=parts.unchanged(),
            anchor=parts.anchor.comparable,
            anchors=frozenset(filter(parts.has_own_anchor, parts.answers.models)),
            anchor_problems=parts.anchor_problems(),
            unlike=frozenset(self._unlike_kernels()),
            laxer=parts.laxer(),
        )
