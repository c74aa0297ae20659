"""The results that processes of a run exchange, as text."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_raq.judging import Spending
from pytest_raq.records import Ranking, Repeats, SpeedMeasurement
from pytest_raq.records.plain import outcome_from, scores_from

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_raq.records import Outcome, ScoreOutcome
    from pytest_raq.running.run_parts import RunParts


def export_run(parts: RunParts) -> str:
    """Return the results of this process, for another process of the same run."""
    rankings = parts.rankings
    return export_text(
        parts.answers.found_here(),
        parts.speeds.measured,
        rankings.found,
        rankings.judge.spending,
        checked_panel=rankings.checked_panel.export(),
        again={
            model: found
            for model in parts.answers.models
            if (found := parts.answers.of(model).repetition.found)
        },
        otherwise=parts.repeats.otherwise,
        scores=parts.likelihoods.export(),
        origins={model: parts.answers.of(model).origins.export() for model in parts.answers.models},
        servers={model: parts.answers.of(model).server.notes for model in parts.answers.models},
    )


def absorb_into(parts: RunParts, text: str) -> None:
    """Take over what another process exported."""
    outcomes, speeds = read_export(text)
    parts.answers.absorb(outcomes)
    parts.likelihoods.absorb(read_scores(text))
    parts.speeds.absorb(speeds)
    rankings, spent, checked_panel = read_judging(text)
    parts.rankings.absorb(rankings, spent)
    parts.rankings.checked_panel.absorb(checked_panel)
    parts.repeats.absorb(*read_repeats(text))
    for model, table in json.loads(text).get("origins", {}).items():
        if model in parts.answers.models:
            parts.answers.of(model).origins.absorb(table)
    for model, notes in json.loads(text).get("servers", {}).items():
        if model in parts.answers.models:
            parts.answers.of(model).server.absorb(notes)


def export_text(  # noqa: PLR0913 - one for each part of the text
    outcomes: Iterable[Outcome],
    speeds: Mapping[str, SpeedMeasurement],
    rankings: Iterable[Ranking] = (),
    spending: Spending | None = None,
    *,
    checked_panel: str = "",
    again: Mapping[str, Repeats] | None = None,
    otherwise: Mapping[str, Repeats] | None = None,
    scores: Iterable[ScoreOutcome] = (),
    origins: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    servers: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return outcomes, speeds, rankings, costs and checks of judges, and likelihoods, as text.

    With how many answers changed when they were asked ``again``, or ``otherwise``, and with the
    ``origins`` of answers, and the notes on the ``servers`` of models.
    """
    table = {
        "outcomes": [asdict(item) for item in outcomes],
        "speeds": {model: asdict(item) for model, item in speeds.items()},
        "rankings": [asdict(item) for item in rankings],
        "spending": asdict(spending or Spending()),
        "bench": checked_panel,
        "again": {model: asdict(item) for model, item in (again or {}).items()},
        "otherwise": {model: asdict(item) for model, item in (otherwise or {}).items()},
        "scores": [asdict(item) for item in scores],
        "origins": dict(origins or {}),
        "servers": {model: list(notes) for model, notes in (servers or {}).items()},
    }
    return json.dumps(table)


def read_export(text: str) -> tuple[list[Outcome], dict[str, SpeedMeasurement]]:
    """Return what `export_text` wrote."""
    table = json.loads(text)
    outcomes = [outcome_from(row) for row in table["outcomes"]]
    return outcomes, {model: _speed(row) for model, row in table["speeds"].items()}


def read_judging(text: str) -> tuple[list[Ranking], Spending, str]:
    """Return what `export_text` wrote about judges."""
    table = json.loads(text)
    rankings = [Ranking(**row) for row in table["rankings"]]
    return rankings, Spending(**table["spending"]), table["bench"]


def read_repeats(text: str) -> tuple[dict[str, Repeats], dict[str, Repeats]]:
    """Return how many answers changed; nothing if an older version wrote the text."""
    table = json.loads(text)
    again, otherwise = (
        {model: Repeats(**row) for model, row in table.get(name, {}).items()}
        for name in ("again", "otherwise")
    )
    return again, otherwise


def read_scores(text: str) -> list[ScoreOutcome]:
    """Return the likelihoods that `export_text` wrote; none in a text of an older version."""
    return [scores_from(row) for row in json.loads(text).get("scores", ())]


def _speed(row: dict[str, Any]) -> SpeedMeasurement:
    """Return a measurement; shards of an earlier version wrote samples alone."""
    if "samples" not in row:
        return SpeedMeasurement(samples=_tuples(row))
    fields: dict[str, Any] = {
        name: _tuples(value) if isinstance(value, dict) else value for name, value in row.items()
    }
    return SpeedMeasurement(**fields)


def _tuples(table: dict[str, list[float]]) -> dict[str, tuple[float, ...]]:
    return {measure: tuple(values) for measure, values in table.items()}
