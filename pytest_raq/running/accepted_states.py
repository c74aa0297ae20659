"""Holds a run against an accepted state, whichever edition of the reference judge ranked it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.baselines.comparison import is_another_edition
from pytest_raq.baselines.reasoning import with_scores
from pytest_raq.judging.editions import rank_again

if TYPE_CHECKING:
    from pytest_raq.baselines.comparison import BaselineComparison
    from pytest_raq.judging.protocol import Judge
    from pytest_raq.records import Baseline, Provenance
    from pytest_raq.running.run_parts import RunParts


def hold_against(
    comparison: BaselineComparison,
    state: Baseline | None,
    now: Provenance,
    parts: RunParts,
    judge: Judge,
) -> None:
    """Compare a run with an accepted state, if there is one.

    If an earlier edition of the reference judge ranked it, it is ranked again; so is a state whose
    answers were kept with the reasoning before them, if the judge is a rule.
    """
    if state is None:
        return
    before = state.provenance
    if before.fingerprint == now.fingerprint:
        questions = parts.questions.questions
        had_reasoning = any(model.exact_match is None for model in state.models.values())
        state = with_scores(state, questions)
        if is_another_edition(before.judge, now.judge) or (
            had_reasoning and judge.is_free and before.judge == now.judge
        ):
            state = rank_again(state, judge, questions, seed=parts.suite.dataset.seed)
    comparison.hold_against(state, now, ranked_by=before.judge)
    parts.forget_anchor()
