"""Whether the questions of a suite suit its judge and the prompts of its models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.errors import ConfigError
from pytest_raq.judging import require_references

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_raq.config import ModelDefinition, SuiteDefinition
    from pytest_raq.records import QuestionSet


def check_questions(
    suite: SuiteDefinition, questions: QuestionSet, models: Iterable[ModelDefinition]
) -> None:
    """ConfigError, before anything is asked, when a question cannot be asked or judged."""
    for judge in suite.judges:
        require_references(judge, questions.source, questions.questions)
    for model in models:
        check_prompt(suite, questions, model)


def check_prompt(suite: SuiteDefinition, questions: QuestionSet, model: ModelDefinition) -> None:
    """ConfigError when the prompt of a model shows a passage that a question lacks."""
    bare = next((item for item in questions.questions if not item.passage), None)
    if bare is not None and model.needs_passage:
        where = suite.path if suite.prompt else model.path
        raise ConfigError(
            f"{where}: the prompt shows {{passage}}, and question {bare.label} of"
            f" {questions.source} has none: name the column of passages with"
            " dataset.columns.passage, or take {passage} out of the prompt"
        )
