"""The tables of docs/statistics.md on what wears a gate down, by the code that users run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np
from gate_worlds import Design, misjudged, step

from pytest_raq.config import GateSettings
from pytest_raq.gate import GateInput, decide, is_failure
from pytest_raq.gate.comparison import plan_of
from pytest_raq.records import Decision
from pytest_raq.stats.agreement import proportion
from pytest_raq.stats.f1_difference import f1_evidence
from pytest_raq.stats.pass_chance import pass_chance
from pytest_raq.stats.power import Spread
from pytest_raq.stats.quality import quality_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_raq.records import Verdict

    Row = tuple[str, ...]

SETTINGS = GateSettings()
PLAN = replace(plan_of(SETTINGS, seed=0), power=None, resamples=1_000)
UPGRADES = 20
SENTINELS = 60
"""Pairs of known order from which the accuracy of a simulated judge is measured."""


def verdicts(
    design: Design,
    signs: Mapping[str, np.ndarray],
    *,
    accuracy: float = 1.0,
    unknown: int = 0,
) -> dict[str, Verdict]:
    """Return the verdicts of a run, by test."""
    found = quality_evidence(
        {name: design.named(values) for name, values in signs.items()},
        design.clusters,
        replace(PLAN, accuracy=accuracy),
        unknown=dict.fromkeys(signs, unknown),
    )
    count = design.questions
    return {
        name: decide(GateInput(name, count, count, count, quality=item), SETTINGS)
        for name, item in found.items()
    }


def is_red(verdict: Verdict) -> bool:
    return is_failure(verdict, SETTINGS)


def rare_row(runs: int, case: tuple[int, int, float]) -> Row:
    """One model that only loses, by the margin; and the same share of changes without a loss."""
    questions, per_passage, correlation = case
    design = Design(questions, per_passage, correlation)
    rng = np.random.default_rng(21)
    loss = SETTINGS.margin
    found = [verdicts(design, {"m": design.signs(loss, 0, rng)})["m"] for _ in range(runs)]
    kinds = Counter(verdict.decision for verdict in found)
    same = [
        verdicts(design, {"m": design.signs(loss / 2, loss / 2, rng)})["m"] for _ in range(runs)
    ]
    return (
        str(questions),
        str(questions // per_passage),
        f"{correlation:g}",
        percent(kinds[Decision.PASS] / runs),
        percent(sum(map(is_red, found)) / runs),
        percent(kinds[Decision.REGRESSION] / runs),
        percent(sum(map(is_red, same)) / runs),
        percent(sum(item.decision is Decision.PASS for item in same) / runs),
    )


def alarm_row(runs: int, case: tuple[int, int, float, int]) -> Row:
    """No loss: red builds of any kind."""
    questions, per_passage, changed, models = case
    design = Design(questions, per_passage)
    rng = np.random.default_rng(22)
    regressions = red = 0
    for _ in range(runs):
        signs = {f"m{i}": design.signs(changed / 2, changed / 2, rng) for i in range(models)}
        found = verdicts(design, signs).values()
        regressions += any(item.decision is Decision.REGRESSION for item in found)
        red += any(map(is_red, found))
    passages = str(questions // per_passage)
    shares = (percent(regressions / runs), percent(red / runs))
    return (str(questions), passages, str(models), f"{100 * changed:g} %", *shares)


def ratchet_row(runs: int, case: tuple[int, float]) -> Row:
    """Twenty upgrades, each accepted while the build is green, with and without an anchor."""
    questions, loss = case
    design = Design(questions, 5)
    rng = np.random.default_rng(23)
    cells: list[str] = []
    for anchored in (False, True):
        stops, losses = zip(*(_series(design, loss, rng, anchored=anchored) for _ in range(runs)),
                            strict=True)  # fmt: skip
        never = sum(stop > UPGRADES for stop in stops) / runs
        shown = median(stops)
        stop = f"{shown:g}" if shown <= UPGRADES else f"over {UPGRADES}"
        cells += [stop, percent(never), signed(-fmean(losses))]
    return (str(questions), signed(-loss), *cells)


def _series(
    design: Design, loss: float, rng: np.random.Generator, *, anchored: bool
) -> tuple[int, float]:
    """Return the upgrade that is stopped, and the loss that was accepted until then."""
    first = accepted = np.zeros(design.questions, dtype=np.int64)
    for upgrade in range(1, UPGRADES + 1):
        today = step(accepted, design, 0.15, loss, rng)
        signs = {"last": np.sign(today - accepted)}
        if anchored and upgrade > 1:
            signs["anchor"] = np.sign(today - first)
        if any(map(is_red, verdicts(design, signs).values())):
            return upgrade, -float(np.sign(accepted - first).mean())
        accepted = today
    return UPGRADES + 1, -float(np.sign(accepted - first).mean())


def judge_row(runs: int, case: tuple[int, float]) -> Row:
    """A loss of the margin, seen by a judge that errs: wrong passes with and without correction."""
    questions, accuracy = case
    design = Design(questions, 5)
    rng = np.random.default_rng(24)
    passes = {"raw": 0, "corrected": 0}
    for _ in range(runs):
        seen = misjudged(design.signs(0.25, 0.15, rng), accuracy, rng)
        right = int(rng.binomial(SENTINELS, accuracy))
        bound = proportion(right, SENTINELS).interval.low if accuracy < 1 else 1.0
        for name, assumed in (("raw", 1.0), ("corrected", bound)):
            verdict = verdicts(design, {"m": seen}, accuracy=assumed)["m"]
            passes[name] += verdict.decision is Decision.PASS
    return (
        str(questions), f"{accuracy:.2f}", *(percent(count / runs) for count in passes.values())
    )  # fmt: skip


def failure_row(runs: int, case: tuple[int, float]) -> Row:
    """A loss of the margin, a part of it as questions without an answer."""
    questions, failing = case
    design = Design(questions, 5)
    rng = np.random.default_rng(25)
    passes = {"dropped": 0, "counted": 0}
    for _ in range(runs):
        signs = design.signs(SETTINGS.margin, 0, rng)
        lost = np.flatnonzero(signs < 0)[: round(failing * questions)]
        kept = np.delete(np.arange(questions), lost)
        names = list(design.clusters)
        answered = {names[i]: int(signs[i]) for i in kept}
        for name, table in (("dropped", answered), ("counted", design.named(signs))):
            (item,) = quality_evidence({"m": table}, design.clusters, PLAN).values()
            count = questions
            verdict = decide(GateInput("m", count, count, count, quality=item), SETTINGS)
            passes[name] += verdict.decision is Decision.PASS
    shares = (percent(count / runs) for count in passes.values())
    return (str(questions), f"{100 * failing:g} %", *shares)


def chance_row(runs: int, case: tuple[int, int, float]) -> Row:
    """The chance of an unchanged model to pass, as planned and as simulated."""
    questions, per_passage, changed = case
    design = Design(questions, per_passage)
    rng = np.random.default_rng(26)
    passed = sum(
        verdicts(design, {"m": design.signs(changed / 2, changed / 2, rng)})["m"].decision
        is Decision.PASS
        for _ in range(runs)
    )
    planned = pass_chance(
        questions, questions // per_passage, Spread(changed, design.correlation),
        margin=SETTINGS.margin, pass_level=SETTINGS.pass_level,
    )  # fmt: skip
    passages = str(questions // per_passage)
    return (
        str(questions),
        passages,
        f"{100 * changed:g} %",
        percent(planned),
        percent(passed / runs),
    )


def selection_row(runs: int, case: tuple[int, int]) -> Row:
    """The accepted answers are the best of several equal candidates; an equal newcomer comes."""
    questions, candidates = case
    design = Design(questions, 5)
    rng = np.random.default_rng(27)
    red = 0
    for _ in range(runs):
        grades = [np.floor(3 * design.uniform(rng)).astype(np.int64) for _ in range(candidates + 1)]
        *tried, newcomer = grades
        best = max(tried, key=lambda values: float(values.mean()))
        red += is_red(verdicts(design, {"m": np.sign(newcomer - best)})["m"])
    return (str(questions), str(candidates), percent(red / runs))


def f1_row(runs: int, case: tuple[int, float, float]) -> Row:
    """Ranks against F1: answers lose a little F1 where they change; coarse ranks see less of it."""
    questions, changed, loss = case
    design = Design(questions, 5)
    rng = np.random.default_rng(28)
    ranks = f1 = red = 0
    for _ in range(runs):
        middle = rng.normal(0.6, 0.2, questions)
        before, other = (
            np.clip(middle + rng.normal(-shift, 0.2, questions), 0, 1) for shift in (0, loss)
        )
        now = np.where(design.uniform(rng) < changed, other, before)
        signs = np.sign(np.floor(2 * now + 0.5) - np.floor(2 * before + 0.5)).astype(np.int64)
        (quality,) = quality_evidence({"m": design.named(signs)}, design.clusters, PLAN).values()
        pairs = dict(
            zip(design.clusters, zip(now.tolist(), before.tolist(), strict=True), strict=True)
        )
        evidence = f1_evidence({"m": pairs}, design.clusters, PLAN)["m"]
        ranks += quality.adjusted_p <= SETTINGS.alpha
        f1 += evidence.adjusted_p <= SETTINGS.alpha
        given = GateInput("m", questions, questions, questions, quality=quality, f1=evidence)
        red += is_red(decide(given, SETTINGS))
    shares = (percent(ranks / runs), percent(f1 / runs), percent(red / runs))
    return (str(questions), f"{100 * changed:g} %", f"−{loss:g}" if loss else "0", *shares)


def signed(value: float) -> str:
    """Return a net preference with a minus sign that is one."""
    return f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


RARE = [
    (10, 2, 0.3), (36, 3, 0.3), (60, 5, 0.3), (120, 10, 0.3), (120, 4, 0.3), (200, 5, 0.0),
    (200, 5, 0.3), (200, 5, 0.6), (100, 5, 1.0), (200, 5, 1.0),
]  # fmt: skip
ALARMS = [
    (questions, per_passage, changed, models)
    for questions, per_passage in ((10, 2), (36, 3), (60, 5), (200, 5))
    for changed in (0.05, 0.15, 0.5)
    for models in (1, 3)
]
RATCHETS = [(60, 0.04), (120, 0.04), (240, 0.04), (120, 0.0)]
JUDGES = [(240, 1.0), (240, 0.9), (240, 0.8)]
FAILURES = [(120, 0.0), (120, 0.02), (240, 0.02)]
CHANCES = [(60, 5, 0.05), (120, 5, 0.05), (120, 5, 0.2), (240, 5, 0.2), (480, 5, 0.4)]
SELECTIONS = [(questions, count) for questions in (60, 200) for count in (1, 3, 10)]
F1_CASES = [(200, 0.15, 0.0), (200, 0.5, 0.0), (200, 0.5, 0.1), (200, 0.3, 0.1)]

Section = (
    "tuple[str, Sequence[str], Callable[[int, tuple[float, ...]], Row], Sequence[object], int]"
)

SECTIONS = (
    (
        ("Answers only get worse, by the margin (0.10): wrong passes (at most 2.5 % wanted), red"
        " builds and regressions among them; and the same share of changes without a loss: red"
        " builds and passes"),
        ("questions", "passages", "correlation", "wrong passes", "red", "regression",
         "no loss: red", "no loss: pass"),
        rare_row, RARE, 1,
    ),
    (
        ("No loss, correlation 0.3: runs with a regression, and red runs of any kind (regression or"
        " suspect)"),
        ("questions", "passages", "models", "changed", "regression", "red"),
        alarm_row, ALARMS, 1,
    ),
    (
        (f"{UPGRADES} upgrades in a row, each accepted while the build is green, 15 % of answers"
        " changed by each: the upgrade that is stopped (median), the share of series that are"
        " never stopped, and the loss that was accepted, without and with an anchor"),
        ("questions", "loss of each", "stopped at", "never", "accepted loss", "with anchor",
         "never", "accepted loss"),
        ratchet_row, RATCHETS, 5,
    ),
    (
        (f"A true loss of the margin and a judge that errs, measured on {SENTINELS} pairs: wrong"
        " passes without and with correction"),
        ("questions", "accuracy", "not corrected", "corrected"),
        judge_row, JUDGES, 1,
    ),
    (
        ("A true loss of the margin, a part of it as questions without an answer: wrong passes if"
        " they are dropped, and as they are counted"),
        ("questions", "without an answer", "dropped", "counted"),
        failure_row, FAILURES, 1,
    ),
    (
        ("An unchanged model whose answers are made anew, correlation 0.3: how often it passes, as"
        " planned and as simulated"),
        ("questions", "passages", "changed", "planned", "simulated"),
        chance_row, CHANCES, 1,
    ),
    (
        ("Selected baselines: the accepted answers are the best of several equal candidates on the"
        " same questions; red builds for a newcomer that is as good"),
        ("questions", "candidates", "red"),
        selection_row, SELECTIONS, 1,
    ),
    (
        ("F1 and ranks, one model, correlation 0.3: how often each test is significant. Changed"
        " answers lose this much F1 on average; ranks have three grades"),
        ("questions", "changed", "F1 lost", "ranks", "F1", "red builds"),
        f1_row, F1_CASES, 1,
    ),
)  # fmt: skip
"""Title, header, row, cases, and by how much fewer runs a row has."""


def sections(
    runs: int, mapper: Callable[..., Iterable[Row]]
) -> list[tuple[str, Sequence[str], Iterable[Row]]]:
    """Return the tables: title, header and rows."""
    return [
        (title, header, mapper(partial(row, runs // fewer), cases))
        for title, header, row, cases, fewer in SECTIONS
    ]
