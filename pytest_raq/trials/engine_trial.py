"""Runs a suite under two engines: today's, and that of another environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.answering.identity import same_engine
from pytest_raq.engines.llamacpp.environment import find_environment
from pytest_raq.errors import ConfigError, MeasurementError
from pytest_raq.records.command_results import EngineTrial
from pytest_raq.records.command_results import TrialAnswerChange as AnswerChange
from pytest_raq.speed.rounds import run_probe
from pytest_raq.trials.in_memory_baseline import (
    accept_in_memory,
    ask_all,
    first_failure,
    questions_changed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_raq.config import ModelDefinition
    from pytest_raq.records import Outcome
    from pytest_raq.running import Session, SuiteRun
    from pytest_raq.trials.ladder import Teller


def try_engine(session: Session, suite_name: str, teller: Teller) -> EngineTrial:
    """Run a suite under today's engine, then under that of the session's ``python``.

    Today's answers are the accepted ones; both answers to a question are ranked
    together, and speed is measured in turns. Raises UsageError if something is
    wrong, MeasurementError if today's engine does not answer.
    """
    python = session.options.python
    assert python is not None
    find_environment(python)
    suite = session.suite(suite_name)
    tried = session.contestants.models(suite)
    todays = session.contestants.originals(suite)
    servers = [name for name, model in tried.items() if model.engine != "llama-cpp"]
    if servers:
        raise ConfigError(
            f"suite {suite_name}: {servers[0]} is run by a server, not by llama-cpp-python:"
            " exclude it with --models"
        )
    before = session.build(suite, todays)
    outcomes = ask_all(before)
    _require_answers(outcomes)
    now = session.build(suite, tried, originals=todays)
    now.compare_with(accept_in_memory(before, outcomes, {name: name for name in now.models}))
    ask_all(now)
    problems = dict(_time(now, teller))
    for model in now.models:
        now.verdict(model)  # so that every question is ranked
    return EngineTrial(
        result=now.result(),
        before=_builds(before),
        now=_builds(now),
        changes={
            model: tuple(
                AnswerChange(*change) for change in questions_changed(now, model, outcomes[model])
            )
            for model in now.models
        },
        notes=(
            *(f"today's engine: {note}" for note in before.answers.notes),
            *(f"the engine on trial: {note}" for note in now.answers.notes),
            *_notes(session, tried, todays, problems),
        ),
    )


def _require_answers(outcomes: Mapping[str, Mapping[str, Outcome]]) -> None:
    for model, items in outcomes.items():
        failure = first_failure(items)
        if failure and all(getattr(item, "reason", "") for item in items.values()):
            raise MeasurementError(f"today's engine: {model} gives no answer: {failure}")


def _time(now: SuiteRun, teller: Teller) -> Iterator[tuple[str, str]]:
    """Time each model and its partner in turns; yield why models could not be timed."""
    for model in now.models:
        problem = run_probe(
            now,
            model,
            now.speed_probe(model),
            lambda done, total, model=model: teller.show(  # type: ignore[misc]
                f"{model}: speed, round {done + 1} of {total}"
            ),
        )
        if problem:
            yield model, problem


def _notes(
    session: Session,
    tried: Mapping[str, ModelDefinition],
    todays: Mapping[str, ModelDefinition],
    problems: Mapping[str, str],
) -> Iterator[str]:
    if all(same_engine(tried[name], todays[name], session.digest) for name in tried):
        yield (
            f"{session.options.python} has the same build of llama-cpp-python as this environment:"
            " there was nothing to compare"
        )
    for model, problem in problems.items():
        yield f"{model}: speed was not measured: {problem}"


def _builds(run: SuiteRun) -> dict[str, str]:
    return {name: model.build for name, model in run.provenance.models.items()}
