"""A session: the suites of one folder, run with one set of options."""

from __future__ import annotations

import json
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING

from pytest_raq.answering import EnginePool
from pytest_raq.config import choose_dataset, load_suite, suite_names
from pytest_raq.errors import ConfigError
from pytest_raq.files import show_path, write_atomically
from pytest_raq.git import describe_commit
from pytest_raq.history.candidates import selection_notes
from pytest_raq.history.runs import make_record, new_run_id
from pytest_raq.history.shared.delivery import deliver_to_team
from pytest_raq.progress import NoProgress, Progress
from pytest_raq.report import suite_to_json
from pytest_raq.report.json.result import JSON_FORMAT
from pytest_raq.running.base_revision import open_base
from pytest_raq.running.build import Resources, build_run
from pytest_raq.running.change import describe_change
from pytest_raq.running.model_selection import (
    ModelSelection,
    judge_names,
    refuse_missing,
    refuse_other_instructions,
    refuse_unknown,
)
from pytest_raq.running.shard_files import write_shard_file
from pytest_raq.store import open_for_run

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from pytest_raq.config import ModelDefinition, SuiteDefinition
    from pytest_raq.records import Provenance, RunRecord
    from pytest_raq.running.base_revision import BaseRevision
    from pytest_raq.running.options import SessionOptions
    from pytest_raq.running.suite_run import SuiteRun
    from pytest_raq.running.workers import SharedWork
    from pytest_raq.store import Store


_RECENT = 100
"""Runs of a suite among which those of today are looked for."""


class Session:
    """Owns what the suites of a run share: engines, the store, the options.

    Suites are read when `names` or `run` first need them; UsageError says
    what is wrong with them. ``given`` names, by suite, the source of answers
    that were made elsewhere: then nothing is generated.
    """

    def __init__(
        self,
        options: SessionOptions,
        *,
        progress: Progress | None = None,
        pool: EnginePool | None = None,
        sharing: SharedWork | None = None,
        given: Mapping[str, Provenance] | None = None,
    ) -> None:
        options.refuse_partial_update()
        options.refuse_unwritable()
        options.refuse_impossible()
        self.options = options
        self._progress = progress or NoProgress()
        self.pool = pool or EnginePool(digest=self.digest)
        self._sharing = sharing
        self._given = given or {}
        self._store: Store | None = None
        self._names: list[str] | None = None
        self._runs: dict[str, SuiteRun] = {}
        self._built: list[SuiteRun] = []
        self._kept: list[RunRecord] = []
        self._base: BaseRevision | None = None

    @property
    def names(self) -> list[str]:
        """The suites to run: those requested, else those with ``default = true``."""
        if self._names is None:
            self._names = self._choose()
        return self._names

    @property
    def base(self) -> BaseRevision | None:
        """The revision whose suites and baselines decide; None without ``--raq-base``."""
        if self.options.base and self._base is None:
            self._base = open_base(self.options)
        return self._base

    def _choose(self) -> list[str]:
        folder = self.base.suites if self.base else self.options.suites_folder
        if self.options.suites:
            return list(dict.fromkeys(self.options.suites))
        names = suite_names(folder)
        chosen = [name for name in names if load_suite(folder, name).default]
        if names and not chosen:
            raise ConfigError(
                f"no suite in {folder} has default = true: name one with --raq-suite"
                f" ({', '.join(names)})"
            )
        if not names:
            raise ConfigError(f"no suite in {folder}: a suite is a file NAME.toml there")
        return chosen

    @property
    def runs(self) -> list[SuiteRun]:
        """The suites that were used so far."""
        return list(self._runs.values())

    def run(self, name: str) -> SuiteRun:
        """Return a suite, reading its definition, models and questions the first time."""
        if name not in self._runs:
            suite = self.suite(name)
            models = self.contestants.models(suite)
            originals = self.contestants.originals(suite)
            run = self._runs[name] = self.build(suite, models, originals=originals)
            run.describe_change = cache(partial(describe_change, self.options, suite))
            run.speed.accepts = self.options.accepts
            if name in self._given:
                run.take_over(self._given[name])
            if self.options.shard:
                run.restrict_to(self.options.shard)
        return self._runs[name]

    def build(
        self,
        suite: SuiteDefinition,
        models: Mapping[str, ModelDefinition],
        *,
        originals: Mapping[str, ModelDefinition] | None = None,
    ) -> SuiteRun:
        """Return a run of a suite with these models; raise UsageError if something is wrong.

        The run is not in `runs`: nothing of it is accepted or kept for history.
        """
        if suite.name not in self._given:
            refuse_missing(suite, models)
            if not self.options.collects:
                refuse_other_instructions(models.values())
        base = self.base
        run = build_run(
            suite,
            models,
            self._resources,
            models_folder=base.models if base else self.options.models_folder,
            baselines_folder=base.baselines if base else self.options.baselines_folder,
            originals=originals,
        )
        self._built.append(run)
        return run

    @property
    def _resources(self) -> Resources:
        return Resources(
            self.pool,
            self._open_store(),
            self._progress,
            self.options.fresh,
            self._sharing,
            (self.options.store_path.parent,),
            self.options.allow_python,
            self.options.collects,
            self.base.shown if self.base else show_path,
        )

    @cached_property
    def contestants(self) -> ModelSelection:
        """The definitions of models that the suites run."""
        return ModelSelection(self.options, self.digest, self._progress.loading)

    def suite(self, name: str) -> SuiteDefinition:
        """Return a suite with the options applied."""
        options, base = self.options, self.base
        if base:
            base.take_questions(name)
        suite = load_suite(base.suites if base else options.suites_folder, name)
        dataset = suite.dataset
        typed = {"sample": options.sample, "seed": options.seed}
        changes = {name: value for name, value in typed.items() if value is not None}
        if options.dataset:
            kept = {"seed": dataset.seed, "no_answer": dataset.no_answer}
            dataset = choose_dataset(options.dataset, changes, kept)
        updated: dict[str, object] = {"dataset": dataset.model_copy(update=changes)}
        if options.judge:
            updated["judge"] = suite.judged_by(judge_names(options.judge))
        if options.models:
            updated["models"] = self._choose_models(suite)
        return suite.model_copy(update=updated)

    def _choose_models(self, suite: SuiteDefinition) -> tuple[str, ...]:
        refuse_unknown("--raq-models", self.options.models, suite)
        return tuple(name for name in suite.models if name in self.options.models)

    def _open_store(self) -> Store:
        if self._store is None:
            self._store = open_for_run(self.options.store_path)
        return self._store

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of a file, remembered in the store."""
        return self._open_store().file_hashes.sha256(path)

    @property
    def notices(self) -> list[str]:
        """What a reader should know apart from the results."""
        return [*self.contestants.notices, *(self._store.notices if self._store else ())]

    def finish(self, *, interrupted: bool = False) -> list[str]:
        """Accept baselines, keep the run, write the result file; return what was done.

        The run is kept for history and for `raq power`, even if it was
        interrupted. Raises MeasurementError when there is nothing to accept,
        StoreError when a file cannot be written.
        """
        told = []
        accepted: set[str] = set()
        for run in self.runs if interrupted else ():
            run.rankings.give_up()
        if interrupted and self._open_store().is_writable:
            told.append("interrupted: answers so far are kept; run the same command to continue")
        try:
            for run in self.runs if self.options.accepts else ():
                told += run.accept(self.options.reason, as_anchor=self.options.anchor)
                accepted.add(run.suite.name)
        finally:
            if self.options.shard is None:  # history is made of whole suites
                told += self._keep_runs(accepted, interrupted=interrupted)
            told += [run.rankings.spent for run in self.runs if run.rankings.spent]
        if self.options.shard is not None:
            told.append(write_shard_file(self.options, self.runs))
        elif self.options.json_path is not None:
            self._write_json(self.options.json_path)
            told.append(f"results written to {self.options.json_path}")
        if self.options.report_path is not None:
            self._write_report(self.options.report_path)
            told.append(f"report written to {self.options.report_path}")
        return told

    def _keep_runs(self, accepted: Collection[str], *, interrupted: bool) -> list[str]:
        """Keep what history needs and return the problems with that."""
        done = [run for run in self.runs if run.has_results]
        if not done:
            return []
        store, run_id = self._open_store(), new_run_id()
        before = store.notices
        selects = bool(self.options.swaps) or self.options.accepts
        earlier = [
            kept
            for run in (done if selects else ())
            for kept in store.runs.latest(run.suite.name, last=_RECENT)
        ]
        commit = describe_commit(self.options.suites_folder)
        records = []
        for run in done:
            result = run.result()
            record = make_record(
                result,
                run_id,
                interrupted=interrupted,
                accepted=run.suite.name in accepted,
                commit=commit,
                options=self.options.describe(),
                reason=self.options.reason,
            )
            records.append(record)
            store.runs.put(record)
            store.results.put(run_id, record.suite, suite_to_json(result))
        self._kept += records
        told = [*selection_notes(earlier, records), *deliver_to_team(store, records)]
        return [*(notice for notice in store.notices if notice not in before), *told]

    def _write_json(self, path: Path) -> None:
        suites = {run.suite.name: suite_to_json(run.result()) for run in self.runs}
        table = {"format": JSON_FORMAT, "suites": suites}
        write_atomically(path, json.dumps(table, indent=1, ensure_ascii=False) + "\n")

    def _write_report(self, path: Path) -> None:
        from pytest_raq.report.page.suite import page_html, page_suite, run_facts

        results = [run.result() for run in self.runs]
        suites = [page_suite(result, suite_to_json(result)) for result in results]
        write_atomically(path, page_html(suites, run_facts(self._kept)))

    def close_engines(self) -> None:
        """End every engine and judge; may be called twice. Results can still be read."""
        for run in self._built:
            run.close()
        self.pool.close()

    def close(self) -> None:
        """Close engines and the store; may be called twice."""
        self.close_engines()
        if self._base is not None:
            self._base.close()
        if self._store is not None:
            self._store.close()
