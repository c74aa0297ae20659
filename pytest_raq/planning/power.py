"""Planning: the spread of preferences in a run, and what the next run can find."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter, ValidationError

from pytest_raq.errors import ConfigError
from pytest_raq.files import show_path
from pytest_raq.records.command_results import Outlook, PlannedRun, PowerPlan, SpreadPlan
from pytest_raq.report.json.result import read_suites
from pytest_raq.stats.pass_chance import pass_chance
from pytest_raq.stats.power import Spread, detectable_effect, questions_needed, spread
from pytest_raq.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_raq.records import RunRecord, SuiteResult


SIZES = (0.5, 1, 2, 4, 8)
"""Sizes of other runs that a plan shows, as multiples of the planned one."""

ASSUMED_CHANGED = 0.5
"""Share of answers ranked differently where no run has measured it: a large change of a model."""


@dataclass(frozen=True, slots=True)
class RunSpread:
    """What a run says about the next one: its size, and the shares of a `Spread` by model."""

    questions: int
    passages: int
    spreads: dict[str, Spread]

    @property
    def has_changes(self) -> bool:
        """Whether any answer was ranked differently from the accepted one."""
        return any(item.changed for item in self.spreads.values())


def make_plan(
    run: PlannedRun, spreads: Mapping[str, Spread], source: str, effect: float | None = None
) -> PowerPlan:
    """Return what a run finds at each spread; ``source`` says where they are from.

    ``effect`` is a net preference lost (0 to 1) to find, with as many
    questions a passage as the run has. UsageError where none are enough.
    """
    return PowerPlan(
        run=run,
        source=source,
        spreads=tuple(_plan_one(run, name, item, effect) for name, item in spreads.items()),
        effect=effect,
    )


def _plan_one(run: PlannedRun, model: str, given: Spread, effect: float | None) -> SpreadPlan:
    sizes = sorted({run.questions, *(max(2, round(run.questions * by)) for by in SIZES)})
    outlook = {size: _outlook(run, given, size) for size in sizes}
    here = outlook[run.questions]
    return SpreadPlan(
        model,
        given.changed,
        given.correlation,
        here.detectable,
        here.pass_chance,
        None if effect is None else _needed(run, given, effect),
        tuple(outlook.values()),
    )


def _outlook(run: PlannedRun, given: Spread, questions: int) -> Outlook:
    """Return what a run of so many questions says, with as many a passage as planned."""
    own = questions == run.questions
    passages = run.passages if own else max(1, round(questions * run.passages / run.questions))
    found = detectable_effect(
        questions, passages, given,
        alpha=run.alpha, power=run.power, models=run.models,
        min_effect=run.min_effect,
    )  # fmt: skip
    chance = pass_chance(questions, passages, given, margin=run.margin, pass_level=run.pass_level)
    return Outlook(questions, passages, found, chance)


def _needed(run: PlannedRun, given: Spread, effect: float) -> tuple[int, int]:
    per_passage = run.questions / run.passages
    questions = questions_needed(
        effect, per_passage, given,
        alpha=run.alpha, power=run.power, models=run.models,
        min_effect=run.min_effect,
    )  # fmt: skip
    return questions, max(1, round(questions / per_passage))


def spread_of(
    preferences: Mapping[str, Mapping[str, int]], clusters: Mapping[str, str]
) -> RunSpread | None:
    """Return the spread of s_i by model and question id; None if nothing is compared."""
    compared = {model: items for model, items in preferences.items() if items}
    if not compared:
        return None
    asked = {question for items in compared.values() for question in items}
    return RunSpread(
        questions=len(asked),
        passages=len({clusters.get(question, question) for question in asked}),
        spreads={model: spread(items, clusters) for model, items in compared.items()},
    )


def complete_spread(result: SuiteResult) -> RunSpread | None:
    """Return the spread of a suite that was compared completely; otherwise None."""
    preferences: dict[str, dict[str, int]] = {}
    for item in result.questions:
        for model, sign in item.preferences.items():
            preferences.setdefault(model, {})[item.question.id] = sign
    told = spread_of(preferences, {q.question.id: q.question.cluster for q in result.questions})
    return told if told and told.questions == len(result.questions) else None


def read_last_run(path: Path, suite: str) -> RunSpread | None:
    """Return the spread of the last completely compared run of a suite; None without one.

    ``path`` is the store. Raises StoreError if it cannot be read.
    """
    if not path.exists():
        return None
    with Store(path, mend=False) as store:
        found = (_spread_of_run(run) for run in store.runs.latest(suite))
        return next((told for told in found if told), None)


def _spread_of_run(run: RunRecord) -> RunSpread | None:
    spreads = {
        model: Spread(figures.changed, figures.correlation)
        for model, figures in run.models.items()
        if figures.changed is not None and figures.correlation is not None
    }
    return RunSpread(run.questions, run.passages, spreads) if spreads else None


@dataclass(frozen=True, slots=True)
class _Result:
    """The part of a suite in a result file that has the spread."""

    questions: dict[str, _ResultQuestion]


@dataclass(frozen=True, slots=True)
class _ResultQuestion:
    preferences: dict[str, Literal[-1, 0, 1]]
    passage: str
    group: str = ""


def read_results(path: Path, suite: str) -> tuple[str, RunSpread]:
    """Return the suite and its spread in a result file of ``--raq-json`` or ``raq rank --json``.

    An empty ``suite`` means the only one. Raises ConfigError if the file is not such
    a file, does not have the suite, or compares nothing with accepted answers.
    """
    suites = read_suites(path)
    if suite not in suites and (suite or len(suites) != 1):
        raise ConfigError(
            f"{show_path(path)}: {'has no suite ' + repr(suite) if suite else 'name a --suite'};"
            f" it has {', '.join(suites) or 'none'}"
        )
    name = suite or next(iter(suites))
    told = _spread_of_result(_result(path, name, suites[name]))
    if told is None:
        raise ConfigError(
            f"{show_path(path)}: {name} was not compared with accepted answers; give a run with"
            " a baseline, or give the spread with --changed"
        )
    return name, told


def _result(path: Path, suite: str, table: object) -> _Result:
    try:
        return TypeAdapter(_Result).validate_python(table)
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        field = ".".join(str(part) for part in ("suites", suite, *first["loc"]))
        raise ConfigError(
            f"{show_path(path)}: {field}: {first['msg'][0].lower()}{first['msg'][1:]};"
            " write the file again with --raq-json"
        ) from exc


def _spread_of_result(result: _Result) -> RunSpread | None:
    found: dict[str, dict[str, int]] = {}
    for question_id, question in result.questions.items():
        for model, sign in question.preferences.items():
            found.setdefault(model, {})[question_id] = sign
    clusters = {
        name: item.group or item.passage or f"\0{name}" for name, item in result.questions.items()
    }
    return spread_of(found, clusters)


def assumed_spread(changed: float | None, correlation: float | None) -> Spread:
    """Return a given spread, with conservative values for missing parts."""
    given = {"correlation": correlation} if correlation is not None else {}
    share = ASSUMED_CHANGED if changed is None else changed
    for name, value in (("changed", share), ("correlation", correlation)):
        if value is not None and (math.isnan(value) or not 0 <= value <= 1):
            raise ConfigError(f"--{name} {value:g}: give a share from 0 to 1")
    return Spread(share, **given)
