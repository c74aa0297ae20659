"""The pytest plugin: options, hooks and fixtures, each of one or two lines that delegate.

pytest loads this module in every run where the package is installed, so it
imports only pytest; the rest is imported when a test needs it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_raq.plugin.options import add_options

if TYPE_CHECKING:
    from pytest_raq.plugin.checks import AnswerCheck, GateCheck, RankingCheck, SpeedCheck
    from pytest_raq.plugin.state import PluginState
    from pytest_raq.plugin.workers import Workers

FIXTURES = ("raq_answer", "raq_ranking", "raq_speed", "raq_gate")
_STATE = pytest.StashKey["PluginState"]()


def _state(config: pytest.Config) -> PluginState:
    """Return the state of this run, made when a test first needs it."""
    if _STATE not in config.stash:
        from pytest_raq.plugin.state import PluginState

        config.stash[_STATE] = PluginState(config)
    return config.stash[_STATE]


def _used(config: pytest.Config) -> PluginState | None:
    return config.stash.get(_STATE, None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ``--raq-…`` options."""
    add_options(parser)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test that uses one of our fixtures."""
    if any(name in metafunc.fixturenames for name in FIXTURES):
        _state(metafunc.config).parametrize(metafunc)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell the models which questions will be asked."""
    if state := _used(session.config):
        state.plan(session.items)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count answers and rankings that failed for an already reported reason separately."""
    told = dict(getattr(report, "user_properties", ())).get("raq") if report.failed else None
    return (told, "F", told.upper()) if told in {"not answered", "not ranked"} else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a worker of pytest-xdist where the workers of this run share their work."""
    from pytest_raq.plugin.workers import add_worker

    add_worker(node)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    """Take over the results of a worker of pytest-xdist."""
    del error
    workers = _workers(node.config)  # type: ignore[attr-defined]
    if workers and (output := workers.output_of(node)):
        _state(node.config).absorb(output)  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Accept baselines, write results, close engines."""
    if session.exitstatus == pytest.ExitCode.INTERRUPTED:
        _gather(session.config)
    if state := _used(session.config):
        state.finish(session)


def _workers(config: pytest.Config) -> Workers | None:
    """Return the workers of pytest-xdist that this process controls; nothing is imported for it."""
    module = sys.modules.get("pytest_raq.plugin.workers")
    return module.workers_of(config) if module else None


def _gather(config: pytest.Config) -> None:
    """Take over what the workers of pytest-xdist have so far, if there are any."""
    if workers := _workers(config):
        for output in workers.gather():
            _state(config).absorb(output)
        if workers.termination.is_received:
            _state(config)  # it sets the exit code, even without any result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the summary of each suite."""
    if state := _used(terminalreporter.config):
        state.summarize(terminalreporter)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End all worker processes and remove the shared folder, however the run ended."""
    if state := _used(config):
        state.close()
    if workers := _workers(config):
        workers.close()


@pytest.fixture
def raq_answer(request: pytest.FixtureRequest) -> AnswerCheck:
    """Provide one model's answer to one question; ``check()`` fails if there is none."""
    return _state(request.config).answer_check(request)


@pytest.fixture
def raq_ranking(request: pytest.FixtureRequest) -> RankingCheck:
    """Provide the judge's ranking of one question; ``check()`` fails if there is none."""
    return _state(request.config).ranking_check(request)


@pytest.fixture
def raq_speed(request: pytest.FixtureRequest) -> SpeedCheck:
    """Provide one model's speed; ``check(benchmark)`` measures it."""
    return _state(request.config).speed_check(request)


@pytest.fixture
def raq_gate(request: pytest.FixtureRequest) -> GateCheck:
    """Provide the verdict on one model; ``check()`` fails on a regression."""
    return _state(request.config).gate_check(request)
