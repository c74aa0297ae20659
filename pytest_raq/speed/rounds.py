"""Times models in turns, and again if one seems slower."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from pytest_raq.errors import RaqError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_raq.records import SpeedSamples
    from pytest_raq.speed.suite_speed import SpeedProbe, SuiteSpeed


PAUSES = (3.0, 12.0)
"""Seconds before each further measurement of a model that seems slower."""


class TimedRun(Protocol):
    """The part of a run that speed needs."""

    speeds: SuiteSpeed

    def slowdown(self, model: str, /) -> float | None:
        """Return how much slower a model seems; None if it is not too slow."""

    def speed_probe(self, model: str, /) -> SpeedProbe:
        """Return the speed probe of a model."""

    def keep_speed(self, model: str, samples: SpeedSamples, accepted: SpeedSamples, /) -> None:
        """Keep the samples of a model."""


def confirm_speed(run: TimedRun, model: str) -> None:
    """Measure a model again while it seems slower; keep the fastest measurement.

    Raises RaqError when it cannot be measured any more.
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


def time_in_turns(
    probes: Mapping[str, SpeedProbe], *, turns_of: int, told: Callable[[int, int], None]
) -> tuple[dict[str, SpeedSamples], dict[str, str]]:
    """Return the samples of each probe, and the problems of probes without samples.

    The probes take turns of ``turns_of`` questions, with another probe first in
    each turn, so that a machine that gets slower or faster affects all of them.
    ``told`` receives the number of turns done and of all turns.
    """
    problems: dict[str, str] = {}
    names = list(probes)
    rounds = max((probe.rounds + probe.warmup_rounds for probe in probes.values()), default=0)
    starts = range(0, rounds, turns_of)
    for turn, start in enumerate(starts):
        told(turn, len(starts))
        shift = turn % len(names)
        for name in names[shift:] + names[:shift]:
            if name not in problems:
                count = min(turns_of, rounds - start)
                problems |= _measure(name, probes[name], count)
    samples = {name: probe.samples() for name, probe in probes.items() if name not in problems}
    return samples, problems


def _measure(name: str, probe: SpeedProbe, count: int) -> dict[str, str]:
    try:
        for _ in range(count):
            probe.measure_accepted()
            probe.measure()
    except RaqError as exc:
        return {name: str(exc)}
    return {}
