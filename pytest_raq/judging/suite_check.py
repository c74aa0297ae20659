"""Tests the judges of a suite, without a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.baselines.file import load_baseline
from pytest_raq.datasets import load_questions
from pytest_raq.judging.cache import remember
from pytest_raq.judging.registry import open_judge
from pytest_raq.judging.validation.human_rankings import agree_with_people, read_human_rankings
from pytest_raq.judging.validation.sentinel_check import check_told, judge_problem, why_unmeasured
from pytest_raq.judging.validation.sentinels import make_sentinels

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_raq.config import SuiteDefinition
    from pytest_raq.progress import Progress
    from pytest_raq.records import HumanAgreement, JudgeCheck
    from pytest_raq.store import Store


@dataclass(frozen=True, slots=True)
class Check:
    """The options of a check; ``questions`` is the number of questions to make sentinels of."""

    models_folder: Path
    baselines_folder: Path
    store: Store
    questions: int
    progress: Progress
    human: Path | None = None
    fresh: bool = False
    allow_python: bool = False


@dataclass(frozen=True, slots=True)
class CheckedJudge:
    """The results of the check of a judge.

    ``problem`` says why it is not trusted, ``unmeasured`` whether the reason
    is that it could not be measured; ``spent`` is its cost, ``note`` what a
    reader should know about what runs it.
    """

    check: JudgeCheck
    people: HumanAgreement | None
    problem: str
    unmeasured: bool
    spent: str
    note: str = ""


def check_suite(suite: SuiteDefinition, check: Check) -> list[CheckedJudge]:
    """Check each judge of a suite on sentinels made from its questions.

    Raises UsageError when the suite, a judge or the human rankings are wrong,
    JudgeError when a judge cannot be asked.
    """
    questions = load_questions(suite.dataset, suite.path.parent).questions
    accepted = _accepted(check.baselines_folder, suite.name) if check.human else {}
    human = read_human_rankings(check.human, questions, accepted) if check.human else []
    judges = [
        open_judge(name, check.models_folder, rule=suite.rule, allow_python=check.allow_python)
        for name in suite.judges
    ]
    sentinels = make_sentinels(questions, seed=suite.dataset.seed, limit=check.questions)
    found = []
    for judge in judges:
        asked = remember(judge, check.store, fresh=check.fresh)
        try:
            asked.prepare()
            done = check_told(asked, sentinels, check.progress, again=True)
            people = agree_with_people(asked, human) if human else None
        finally:
            asked.close()
        found.append(
            CheckedJudge(
                check=done,
                people=people,
                problem=judge_problem(done, suite.gate),
                unmeasured=bool(why_unmeasured(done)),
                spent=str(asked.spending),
                note=asked.note,
            )
        )
    return found


def _accepted(folder: Path, suite: str) -> Mapping[str, Mapping[str, str]]:
    """Return the accepted answers of a suite by question id and model."""
    baseline = load_baseline(folder, suite)
    if baseline is None:
        return {}
    return {name: item.answers for name, item in baseline.questions.items()}
