"""A new project: what ``raq init`` writes, and how."""

from pytest_raq.scaffold.choices import (
    CI_SYSTEMS,
    Choices,
    Questions,
    check_suite_name,
    find_questions,
    guess_ci,
    starter_questions,
)
from pytest_raq.scaffold.models import Contestant, find_contestant, find_judge, local_models
from pytest_raq.scaffold.plan import Plan, plan_project, write_files

__all__ = [
    "CI_SYSTEMS",
    "Choices",
    "Contestant",
    "Plan",
    "Questions",
    "check_suite_name",
    "find_contestant",
    "find_judge",
    "find_questions",
    "guess_ci",
    "local_models",
    "plan_project",
    "starter_questions",
    "write_files",
]
