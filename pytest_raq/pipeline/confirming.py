"""A model that seems slower is measured again before it is called so.

What slows a machine down for seconds, a neighbour above all, is gone after a
pause; what slows a model down is not. So a loss must be there each time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_raq.pipeline.run import SuiteRun

PAUSES = (3.0, 12.0)
"""Seconds before each further measurement of a model that seems slower."""


def confirm_speed(run: SuiteRun, model: str) -> None:
    """Measure a model again while it seems slower; keep the measurement that speaks for it most.

    RaqError when it cannot be measured any more.
    """
    for pause in PAUSES:
        before = run.slowdown(model)
        if before is None:
            return
        time.sleep(pause)
        kept = run.speeds.of(model)
        probe = run.speed_probe(model)
        for _ in range(probe.warmup_rounds + probe.rounds):
            probe.measure_accepted()
            probe.measure()
        run.keep_speed(model, probe.samples(), probe.accepted_samples())
        now = run.slowdown(model)
        if now is not None and now < before:
            run.keep_speed(model, *kept)
        run.speeds.count(model)
