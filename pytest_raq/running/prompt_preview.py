"""The prompt of one model of a suite for one question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.answering.prompts import question_prompt
from pytest_raq.config import load_model, load_suite, nearest
from pytest_raq.datasets import load_questions
from pytest_raq.errors import ConfigError
from pytest_raq.running.build import check_prompt
from pytest_raq.running.model_selection import asked_by

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_raq.config import ModelDefinition
    from pytest_raq.records import Prompt, Question


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question as one model receives it; ``origin`` is the file that defines the prompt."""

    model: ModelDefinition
    question: Question
    prompt: Prompt
    origin: Path


def find_prompt(
    suites_folder: Path, models_folder: Path, suite_name: str, model_name: str, question_id: str
) -> AskedQuestion:
    """Return the prompt of a model of a suite; raise UsageError for an unknown name or id.

    Without the name of a model the first one is used, without an id the first
    question of the suite.
    """
    suite = load_suite(suites_folder, suite_name)
    name = model_name or suite.models[0]
    _require(f"--model {name}: suite {suite.name} has no such model", name, suite.models)
    model = asked_by(suite, load_model(models_folder, name))
    questions = load_questions(suite.dataset, suite.path.parent)
    check_prompt(suite, questions, model)
    known = {question.id: question for question in questions.questions}
    chosen = question_id or next(iter(known))
    _require(f"--question {chosen}: suite {suite.name} does not ask it", chosen, known)
    prompt = question_prompt(model, known[chosen])
    return AskedQuestion(model, known[chosen], prompt, (suite if suite.prompt else model).path)


def _require(problem: str, name: str, known: Iterable[str]) -> None:
    names = list(known)
    if name in names:
        return
    raise ConfigError(f"{problem}{nearest(name, names, 'it has')}")
