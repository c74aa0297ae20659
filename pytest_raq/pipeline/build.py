"""Put a suite together from its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.datasets import load_questions
from pytest_raq.errors import BaselineError
from pytest_raq.generation import ModelAnswers
from pytest_raq.judging import open_judge, open_panel, remember
from pytest_raq.pipeline.run import SuiteRun
from pytest_raq.store import baseline_path, load_baseline, show_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_raq.config import ModelDefinition, SuiteDefinition
    from pytest_raq.generation import EnginePool, Progress
    from pytest_raq.judging import Judge, Panel
    from pytest_raq.records import Baseline
    from pytest_raq.store import ForgivingStore


def build_run(
    suite: SuiteDefinition,
    models: Mapping[str, ModelDefinition],
    *,
    models_folder: Path,
    baselines_folder: Path,
    pool: EnginePool,
    store: ForgivingStore,
    progress: Progress,
    fresh: bool,
    originals: Mapping[str, ModelDefinition] | None = None,
) -> SuiteRun:
    """Read questions, judge and baseline of a suite; UsageError when one is wrong.

    ``originals`` are the definitions of swapped models as they are without the
    swap, for speed measured side by side.

    A baseline that cannot be read does not stop the run: it is the verdict of
    every model, and can be replaced by ``--raq-update``.
    """
    questions = load_questions(suite.dataset, suite.path.parent)
    judge = _panel(suite, models_folder, store, fresh=fresh)

    def answers_of(model: ModelDefinition) -> ModelAnswers:
        return ModelAnswers(
            model,
            questions.questions,
            pool=pool,
            store=store,
            progress=progress,
            fresh=fresh,
            before=judge.prepare,
        )

    baseline, problem = _baseline(baselines_folder, suite.name)
    return SuiteRun(
        suite,
        questions,
        {name: answers_of(model) for name, model in models.items()},
        judge,
        progress=progress,
        baselines_folder=baselines_folder,
        baseline=baseline,
        baseline_problem=problem,
        originals={name: answers_of(model) for name, model in (originals or {}).items()},
    )


def _panel(
    suite: SuiteDefinition, models_folder: Path, store: ForgivingStore, *, fresh: bool
) -> Panel:
    def open_one(name: str) -> Judge:
        return remember(open_judge(name, models_folder, store.file_sha256), store, fresh=fresh)

    return open_panel(suite.judges, models_folder, open_one, min_share=suite.gate.min_judges)


def _baseline(folder: Path, suite: str) -> tuple[Baseline | None, str]:
    try:
        baseline = load_baseline(folder, suite)
    except BaselineError as exc:
        return None, str(exc)
    if baseline is None:
        path = show_path(baseline_path(folder, suite))
        return None, f"{path} does not exist; accept this state with --raq-update"
    return baseline, ""
