"""The verdicts of a run, from the results so far."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_raq.gate.evidence import Evidence, Material, gather_evidence, is_speed_clear, verdict_of
from pytest_raq.gate.likelihood import TruthEvidence, combine
from pytest_raq.records import Decision, Failure
from pytest_raq.running.likelihoods import expected_scores, suite_evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.records import AcceptedSpeed, Verdict
    from pytest_raq.running.run_parts import RunParts
    from pytest_raq.running.speed import RunSpeed


class SuiteVerdicts:
    """The gate's verdict on each model; evidence is gathered once for the results so far.

    ``machine`` is the machine of the run; `forget` is called when there are more
    results.
    """

    def __init__(self, parts: RunParts, machine: Mapping[str, str], speed: RunSpeed) -> None:
        self._parts, self._speed = parts, speed
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

    def speed_is_clear(self, model: str) -> bool:
        """Return whether more processes would not change what is said of a model's speed."""
        return is_speed_clear(model, self._material(), self._gate)

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
        note = self._parts.speeds.of(model).note
        if note and verdict.speed:
            yield f"speed: {note}"

    def accepted_speeds(self) -> dict[str, AcceptedSpeed]:
        """Return what would be accepted of each model's speed."""
        return self._speed.accepted_next(same_machine=bool(self.same_machine))

    @property
    def same_machine(self) -> bool | None:
        """Whether the baseline was accepted on this machine; None if that is not known."""
        comparable = self._parts.comparison.comparable
        before = comparable.provenance.machine if comparable else None
        return None if not before else dict(before) == dict(self.machine)

    def _material(self) -> Material:
        parts = self._parts
        comparable = parts.comparison.comparable
        return Material(
            questions=parts.questions.questions,
            outcomes=parts.answers.in_hand(),
            rankings=parts.rankings.rankings,
            problems=parts.problems(),
            baseline=comparable,
            speeds=parts.speeds.measured,
            seed=parts.suite.dataset.seed,
            judge_problems=parts.rankings.checked_panel.problems,
            judge_accuracy=parts.rankings.checked_panel.accuracy_bound,
            unchanged=parts.unchanged(),
            anchor=parts.anchor.comparable,
            anchors=frozenset(filter(parts.has_own_anchor, parts.answers.models)),
            anchor_problems=parts.anchor_problems(),
            speed_unchanged=self._speed.unchanged(),
            speed_obstacles=self._speed.obstacles(same_machine=self.same_machine),
        )
