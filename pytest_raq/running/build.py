"""Builds a run from the definition of a suite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.answering import ModelAnswers
from pytest_raq.answering.likelihoods import ModelLikelihoods
from pytest_raq.baselines.comparison import AcceptedStates
from pytest_raq.baselines.file import anchor_path, baseline_path, load_anchor, load_baseline
from pytest_raq.config import load_model, suite_names
from pytest_raq.datasets import load_questions
from pytest_raq.engines.openai_compat.server import sent_keys
from pytest_raq.errors import BaselineError, ConfigError
from pytest_raq.files import show_path
from pytest_raq.judging import open_judge, open_panel, remember, require_references
from pytest_raq.judging.checked_panel import CheckedPanel
from pytest_raq.judging.suite_rankings import SuiteRankings
from pytest_raq.records.rankings import ACCEPTED, ANCHOR, CANDIDATE
from pytest_raq.running.accepted_models import AcceptedModels
from pytest_raq.running.same_model import refuse_same_model
from pytest_raq.running.speed import SpeedSource
from pytest_raq.running.suite_run import SuiteRun
from pytest_raq.running.variants import Variants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pytest_raq.answering import EnginePool
    from pytest_raq.config import ModelDefinition, SuiteDefinition
    from pytest_raq.judging import Judge, Panel
    from pytest_raq.progress import Progress
    from pytest_raq.records import Baseline, QuestionSet
    from pytest_raq.running.workers import SharedWork
    from pytest_raq.store import Store


def check_questions(
    suite: SuiteDefinition, questions: QuestionSet, models: Iterable[ModelDefinition]
) -> None:
    """Raise ConfigError, before anything is asked, if a question cannot be asked or judged."""
    for judge in suite.judges:
        require_references(judge, questions.source, questions.questions)
    for model in models:
        check_prompt(suite, questions, model)


def check_prompt(suite: SuiteDefinition, questions: QuestionSet, model: ModelDefinition) -> None:
    """Raise ConfigError if the prompt of a model needs a passage that a question does not have."""
    bare = next((item for item in questions.questions if not item.passage), None)
    if bare is not None and model.needs_passage:
        where = suite.path if suite.prompt else model.path
        raise ConfigError(
            f"{where}: the prompt uses {{passage}}, but question {bare.label} of"
            f" {questions.source} has none: name the column of passages with"
            " dataset.columns.passage, or remove {passage} from the prompt"
        )


@dataclass(frozen=True, slots=True)
class Resources:
    """What the suites of a session have in common.

    ``fresh`` says that no stored answer is reused; ``sharing`` is how the processes
    of one run share their work, None in a run of one process; ``folders`` may have model files.
    ``allow_python`` says that the ``python`` of judges may be run; a run that only ``collects``
    tests compares nothing. ``show_path`` returns the path of a baseline as it is shown.
    """

    pool: EnginePool
    store: Store
    progress: Progress
    fresh: bool = False
    sharing: SharedWork | None = None
    folders: tuple[Path, ...] = ()
    allow_python: bool = False
    collects: bool = False
    show_path: Callable[[Path], str] = show_path


def build_run(
    suite: SuiteDefinition,
    models: Mapping[str, ModelDefinition],
    resources: Resources,
    *,
    models_folder: Path,
    baselines_folder: Path,
    originals: Mapping[str, ModelDefinition] | None = None,
) -> SuiteRun:
    """Read questions, judge and baseline of a suite; raise UsageError if one is wrong.

    ``originals`` are the definitions of swapped models without the
    swap, for speed measured side by side.

    A baseline that cannot be read does not stop the run: the error becomes the
    verdict of every model, and ``--raq-update`` can replace the file.
    """
    questions = load_questions(suite.dataset, suite.path.parent)
    check_questions(suite, questions, models.values())
    refuse_same_model(suite, models, originals or {})
    store = resources.store
    judge = _panel(suite, models_folder, resources)

    def answers_of(model: ModelDefinition, shared: SharedWork | None = None) -> ModelAnswers:
        return ModelAnswers(
            model,
            questions.questions,
            pool=resources.pool,
            store=store,
            progress=resources.progress,
            fresh=resources.fresh,
            before=judge.prepare,
            sharing=shared,
            suite=suite.name,
        )

    sharing = resources.sharing
    answers = {name: answers_of(model, sharing) for name, model in models.items()}
    if sharing is not None:
        for each in answers.values():
            sharing.register(each)
    replaced = {name: answers_of(model) for name, model in (originals or {}).items()}
    likelihoods = (
        {}
        if suite.gate.likelihood == "off"
        else {
            name: ModelLikelihoods(
                each, pool=resources.pool, progress=resources.progress, sharing=sharing
            )
            for name, each in answers.items()
        }
    )
    checked_panel = CheckedPanel(
        judge,
        questions.questions,
        suite.gate,
        seed=suite.dataset.seed,
        families=families(answers, replaced),
    )
    run = SuiteRun(
        suite,
        questions,
        answers,
        SuiteRankings(
            checked_panel,
            resources.progress,
            exchange=sharing.exchange if sharing else None,
            suite=suite.name,
        ),
        baselines_folder=baselines_folder,
        accepted=_accepted(baselines_folder, suite.name, resources),
        variants=Variants(answers_of),
        speed_source=SpeedSource(
            resources.pool,
            AcceptedModels(store, originals or {}, (models_folder, *resources.folders)),
            replaced,
        ),
        likelihoods=likelihoods,
    )
    run.keys = sent_keys([*models.values(), *_judge_definitions(suite, models_folder)])
    return run


def _judge_definitions(suite: SuiteDefinition, folder: Path) -> list[ModelDefinition]:
    known = suite_names(folder)
    return [load_model(folder, name) for name in suite.judges if name in known]


def _panel(suite: SuiteDefinition, models_folder: Path, resources: Resources) -> Panel:
    store = resources.store

    def open_one(name: str) -> Judge:
        opened = open_judge(
            name,
            models_folder,
            store.file_hashes.sha256,
            rule=suite.rule,
            allow_python=resources.allow_python,
        )
        return remember(opened, store, fresh=resources.fresh)

    return open_panel(suite.judges, models_folder, open_one, min_share=suite.gate.min_judges)


def _accepted(folder: Path, suite: str, resources: Resources) -> AcceptedStates:
    """Read the accepted states, unless tests are only collected."""
    show = resources.show_path
    names = show(baseline_path(folder, suite)), show(anchor_path(folder, suite))
    if resources.collects:
        return AcceptedStates(names=names)
    baseline, problem = _load(load_baseline, folder, suite)
    if baseline is None and not problem:
        problem = f"{names[0]} does not exist; accept this state with --raq-update"
    return AcceptedStates(baseline, problem, *_load(load_anchor, folder, suite), names)


def _load(
    read: Callable[[Path, str], Baseline | None], folder: Path, suite: str
) -> tuple[Baseline | None, str]:
    try:
        return read(folder, suite), ""
    except BaselineError as exc:
        return None, str(exc)


def families(
    answers: Mapping[str, ModelAnswers], originals: Mapping[str, ModelAnswers]
) -> dict[str, str]:
    """Return the families of contestants; accepted answers are from the model before a swap."""
    before = {**answers, **originals}
    return {
        **{CANDIDATE + name: _family(item) for name, item in answers.items()},
        **{ACCEPTED + name: _family(before[name]) for name in answers},
        **{ANCHOR + name: _family(before[name]) for name in answers},
    }


def _family(answers: ModelAnswers) -> str:
    return answers.model.family.strip().casefold()
