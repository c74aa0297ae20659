"""Holds a run against an accepted state, whichever edition of the reference judge ranked it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.baselines.comparison import is_another_edition
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

    If an earlier edition of the reference judge ranked it, it is ranked again.
    """
    if state is None:
        return
    before = state.provenance
    if before.fingerprint == now.fingerprint and is_another_edition(before.judge, now.judge):
        seed = parts.suite.dataset.seed
        state = rank_again(state, judge, parts.questions.questions, seed=seed)
    comparison.hold_against(state, now, ranked_by=before.judge)
    parts.forget_anchor()
