"""What commands found out, as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from pytest_raq.records.plain import Json, plain
from pytest_raq.report.json.result import suite_to_json
from pytest_raq.report.words import change_text

if TYPE_CHECKING:
    from pytest_raq.records.command_results import (
        BaselineAnswerChange,
        BaselineDiff,
        EngineTrial,
        Ladder,
        PowerPlan,
    )
    from pytest_raq.records.history import SuiteHistory, Trend, TrendChange


def diff_to_json(diff: BaselineDiff) -> Json:
    """Return a diff as plain data; undefined numbers are None."""
    return {
        "old": plain(diff.old),
        "new": plain(diff.new),
        "unfair": diff.unfair,
        "models": {
            name: {
                "compared": model.compared,
                "answers_changed": len(model.answers),
                "ranks_changed": model.reranked,
                "figures": plain(dict(model.figures)),
                "answers": {item.question_id: _answer(item) for item in model.answers},
            }
            for name, model in diff.models.items()
        },
        "models_added": list(diff.models_added),
        "models_removed": list(diff.models_removed),
        "questions_added": list(diff.questions_added),
        "questions_removed": list(diff.questions_removed),
        "p_values": plain(diff.pairs),
        "standing": plain(diff.standing),
        "speeds": plain(dict(diff.speeds)),
        "same_machine": diff.same_machine,
        "provenance": plain(diff.provenance),
    }


def _answer(change: BaselineAnswerChange) -> Json:
    return {"before": change.before, "now": change.now, "rank": plain(change.rank)}


def trial_to_json(trial: EngineTrial) -> Json:
    """Return a trial as plain data."""
    return {
        "format": 1,
        "engines": {"today": dict(trial.before), "tried": dict(trial.now)},
        "changes": plain(dict(trial.changes)),
        "notes": list(trial.notes),
        "suites": {trial.result.suite: suite_to_json(trial.result)},
    }


def ladder_to_json(ladder: Ladder) -> Json:
    """Return a ladder as plain data; undefined numbers are None."""
    table = plain(ladder)
    assert isinstance(table, dict)
    return {"format": 1, "ladder": table}


def plan_to_json(plan: PowerPlan) -> Json:
    """Return a plan as plain data; None for a loss that is not found."""
    needed = plan.needed
    return {
        "likelihood": plain(plan.likelihood),
        **asdict(plan.run),
        "spread": {
            "source": plan.source,
            "by_model": [
                {
                    "model": item.model or None,
                    "changed": item.changed,
                    "correlation": item.correlation,
                    "detectable": plain(item.detectable),
                    "pass_chance": plain(item.pass_chance),
                    "outlook": plain(item.outlook),
                }
                for item in plan.spreads
            ],
        },
        "detectable": plain(plan.detectable),
        "pass_chance": plain(min(item.pass_chance for item in plan.spreads)),
        "effect": plan.effect,
        "questions_needed": needed[0] if needed else None,
        "passages_needed": needed[1] if needed else None,
    }


def trends_to_json(history: SuiteHistory) -> Json:
    """Return the history of a suite as plain data; runs are named by their id."""
    return {
        "place": history.place,
        "runs": [
            {
                "id": run.id,
                "time": run.time,
                "commit": run.commit,
                "state": run.state.value,
                "accepted": run.accepted,
                "reason": run.reason,
                "options": dict(run.options),
                "verdicts": {name: figures.verdict for name, figures in run.models.items()},
                "marks": plain(history.marks.get(place, ())),
            }
            for place, run in enumerate(history.runs)
        ],
        "trends": [_trend(trend, history) for trend in history.trends],
        "changes": [_change(change, history) for change in history.changes],
    }


def _trend(trend: Trend, history: SuiteHistory) -> Json:
    return {
        "model": trend.model,
        "measure": trend.measure.name,
        "series": [
            [{"run": history.runs[point.run].id, "value": point.value} for point in points]
            for points in trend.series
        ],
    }


def _change(change: TrendChange, history: SuiteHistory) -> Json:
    return {
        "model": change.model,
        "measure": change.measure.name,
        "run": history.runs[change.run].id,
        "before": change.before,
        "after": change.after,
        "p_value": change.p_value,
        "worse": change.is_worse,
        "text": change_text(change, history),
        "marks": plain(change.marks),
    }
