"""The state of the plugin during a run: one session per folder of suites, and the results."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from pytest_raq.answering import memory_share
from pytest_raq.engines.openai_compat.pace import share_pace
from pytest_raq.errors import RaqError, UsageError
from pytest_raq.plugin.checks import AnswerCheck, GateCheck, RankingCheck, SpeedCheck
from pytest_raq.plugin.progress import ProgressDisplay
from pytest_raq.plugin.workers import enter_exchange, workers_of
from pytest_raq.report import Line, Style, suite_lines
from pytest_raq.running import (
    Session,
    SessionOptions,
    parse_shard,
    parse_swaps,
    place_dataset,
    publish,
    publish_to_github,
    split_names,
    stop_commands,
)
from pytest_raq.running.workers import SharedWork, WorkerExchange
from pytest_raq.termination import EXIT_CODE, Termination
from pytest_raq.text import fold, log_text, message_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_raq.records import SuiteResult
    from pytest_raq.running import SuiteRun

_MARKUP: dict[Style, dict[str, bool]] = {
    Style.PLAIN: {},
    Style.BOLD: {"bold": True},
    Style.GREEN: {"green": True},
    Style.YELLOW: {"yellow": True},
    Style.RED: {"red": True},
}


class PluginState:
    """The sessions of a run, by the folder of their suites."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._sessions: dict[Path, Session] = {}
        self._told: list[str] = []
        self._problems: list[str] = []
        self._results: list[SuiteResult] = []
        self._commands: list[str] = []
        workers = workers_of(config)
        # A worker of pytest-xdist may be sent SIGTERM twice, with its group and by the controller.
        self._termination = (
            workers.termination if workers else Termination(is_patient=self._is_worker)
        )
        self._pytest: pytest.Session | None = None

    @cached_property
    def display(self) -> ProgressDisplay:
        """The display of progress."""
        return ProgressDisplay(self._config)

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    @cached_property
    def _sharing(self) -> SharedWork | None:
        """How this pytest-xdist worker shares work with the others; None in a single process."""
        if not self._is_worker:
            return None
        folder = enter_exchange(self._config.workerinput)  # type: ignore[attr-defined]
        share_pace(folder)
        return SharedWork(WorkerExchange(folder), memory_share())

    def session(self, folder: Path) -> Session:
        """Return the session of a folder of suites."""
        if folder not in self._sessions:
            options = session_options(self._config, folder)
            self._sessions[folder] = Session(options, progress=self.display, sharing=self._sharing)
        return self._sessions[folder]

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Give a test one case per result; report an error in a suite in one line."""
        folder = Path(str(metafunc.definition.path)).parent
        try:
            session = self.session(folder)
            runs = [session.run(name) for name in session.names]
        except UsageError as exc:
            raise pytest.Collector.CollectError(message_text(str(exc))) from exc
        for fixture, cases in _CASES.items():
            if fixture in metafunc.fixturenames:
                found = [case for run in runs for case in cases(run)]
                ids = [log_text("-".join(part for part in case if part)) for case in found]
                params = [(folder, *case) for case in found]
                metafunc.parametrize(fixture, params, ids=ids, indirect=True)

    def plan(self, items: Iterable[pytest.Item]) -> None:
        """Announce to each model which questions will be asked."""
        wanted: dict[tuple[Path, str, str], set[str]] = {}
        whole: set[tuple[Path, str]] = set()
        for item in items:
            params = getattr(getattr(item, "callspec", None), "params", {})
            if "raq_answer" in params:
                folder, suite, model, question_id = params["raq_answer"]
                wanted.setdefault((folder, suite, model), set()).add(question_id)
            elif "raq_gate" in params:
                folder, suite, _ = params["raq_gate"]
                if not self._sessions[folder].options.shard:
                    whole.add((folder, suite))
        for folder, session in self._sessions.items():
            for run in session.runs:
                name = run.suite.name
                if (folder, name) in whole:
                    continue
                for model in run.models:
                    run.answers.of(model).plan(wanted.get((folder, name, model), set()))

    def _run(self, request: pytest.FixtureRequest) -> tuple[SuiteRun, tuple[str, ...]]:
        folder, suite, *case = cast("tuple[Path, str, *tuple[str, ...]]", request.param)
        return self.session(folder).run(suite), tuple(case)

    def answer_check(self, request: pytest.FixtureRequest) -> AnswerCheck:
        """Return the check of one answer."""
        run, (model, question_id) = self._run(request)
        return AnswerCheck(run, model, question_id, request.node)

    def ranking_check(self, request: pytest.FixtureRequest) -> RankingCheck:
        """Return the check of one ranking."""
        run, (question_id,) = self._run(request)
        return RankingCheck(run, question_id, request.node)

    def speed_check(self, request: pytest.FixtureRequest) -> SpeedCheck:
        """Return the check of one model's speed."""
        run, (model,) = self._run(request)
        return SpeedCheck(run, model, request.node)

    def gate_check(self, request: pytest.FixtureRequest) -> GateCheck:
        """Return the check of one model's verdict."""
        run, (model,) = self._run(request)
        session = self.session(request.param[0])
        return GateCheck(run, model, request.node, updating=session.options.accepts)

    def absorb(self, output: Mapping[str, Mapping[str, str]]) -> None:
        """Take over the results of a worker: suite folder → suite → exported text."""
        for folder, suites in output.items():
            session = self.session(Path(folder))
            for name, text in suites.items():
                session.run(name).absorb(text)

    def finish(self, session: pytest.Session) -> None:
        """Send results to the controller, or accept and write them; then close engines."""
        self._pytest = session
        self._termination.finish_first()
        self.display.clear()
        if self._is_worker:
            output = {
                str(folder): {run.suite.name: run.export() for run in raq.runs}
                for folder, raq in self._sessions.items()
            }
            self._config.workeroutput["raq"] = output  # type: ignore[attr-defined]
        elif not self._config.option.collectonly:
            self._conclude(session)
        for raq in self._sessions.values():
            raq.close_engines()

    def _conclude(self, session: pytest.Session) -> None:
        interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED
        for raq in self._sessions.values():
            self._told += raq.notices
            try:
                self._told += raq.finish(interrupted=interrupted)
            except RaqError as exc:
                self._problems.append(str(exc))
        self._publish()
        if self._problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _publish(self) -> None:
        """Write the outputs for other tools; verdicts are those after accepting."""
        runs = [run for raq in self._sessions.values() for run in raq.runs]
        self._results = [run.result() for run in runs if run.has_results]
        for raq in list(self._sessions.values())[:1]:  # all sessions have the same options
            try:
                self._told += publish(raq.options, self._results)
            except RaqError as exc:
                self._problems.append(str(exc))
        if self._results:
            self._commands = publish_to_github(self._results)

    def summarize(self, reporter: pytest.TerminalReporter) -> None:
        """Print the summary of every suite that ran."""
        if self._config.option.collectonly or self._is_worker:
            return
        size = reporter._tw.fullwidth  # noqa: SLF001 - the width is known nowhere else
        lines = self._summary(size)
        if reporter.isatty:  # otherwise the terminal would break lines inside a word
            lines = [Line(part, line.style) for line in lines for part in fold(line.text, size)]
        if lines:
            reporter.section("relative answer quality")
        stop, resume = stop_commands() if lines else ([], [])
        for text in stop:
            reporter.write_line(text)
        for line in lines:
            reporter.write_line(log_text(line.text), **_MARKUP[line.style])
        for text in (*resume, *self._commands):
            reporter.write_line(text)

    def _summary(self, size: int) -> list[Line]:
        """Return all lines; only tables are fitted to the size."""
        lines: list[Line] = []
        for result in self._results:
            found = suite_lines(result, size=size, verbosity=self._config.get_verbosity())
            lines += [Line(""), *found] if lines and found else found
        lines += [Line(message_text(text)) for text in self._told]
        return lines + [Line(f"ERROR: {message_text(text)}", Style.RED) for text in self._problems]

    def close(self) -> None:
        """Close everything, however the run ended; after SIGTERM, the exit code says so."""
        for session in self._sessions.values():
            session.close()
        self._termination.close()
        if self._termination.is_received and self._pytest is not None:
            self._pytest.exitstatus = EXIT_CODE


def _answer_cases(run: SuiteRun) -> list[tuple[str, ...]]:
    name = run.suite.name
    return [(name, model, q.id) for model in run.models for q in run.asked]


def _ranking_cases(run: SuiteRun) -> list[tuple[str, ...]]:
    return [(run.suite.name, question.id) for question in run.asked]


def _model_cases(run: SuiteRun) -> list[tuple[str, ...]]:
    return [(run.suite.name, model) for model in run.models]


_CASES = {
    "raq_answer": _answer_cases,
    "raq_ranking": _ranking_cases,
    "raq_speed": _model_cases,
    "raq_gate": _model_cases,
}


def session_options(config: pytest.Config, folder: Path) -> SessionOptions:
    """Read the options of a run for a folder of suites; raise UsageError if one is wrong."""
    option, start = config.option, config.invocation_params.dir
    return SessionOptions(
        suites_folder=folder,
        models_folder=_folder(config, "raq_models", folder.parent / "models"),
        baselines_folder=_folder(config, "raq_baselines", folder.parent / "baselines"),
        store_path=start / option.raq_store
        if option.raq_store
        else config.rootpath / ".raq" / "store.db",
        suites=tuple(option.raq_suite),
        models=split_names(option.raq_models),
        dataset=place_dataset(option.raq_dataset, start),
        sample=option.raq_sample,
        seed=option.raq_seed,
        judge=option.raq_judge,
        swaps=parse_swaps(option.raq_swap),
        python=start / Path(option.raq_python).expanduser() if option.raq_python else None,
        parallel=option.raq_parallel,
        reproducible=option.raq_reproducible,
        allow_python=option.raq_allow_python,
        collects=option.collectonly,
        base=option.raq_base,
        start=start,
        update=option.raq_update,
        anchor=option.raq_anchor,
        reason=option.raq_reason,
        fresh=option.raq_fresh,
        shard=parse_shard(option.raq_shard),
        json_path=start / option.raq_json if option.raq_json else None,
        report_path=start / option.raq_report if option.raq_report else None,
        markdown_path=start / option.raq_markdown if option.raq_markdown else None,
        metrics_path=start / option.raq_metrics if option.raq_metrics else None,
    )


def _folder(config: pytest.Config, name: str, default: Path) -> Path:
    text = str(config.getini(name) or "")
    return config.rootpath / text if text else default
