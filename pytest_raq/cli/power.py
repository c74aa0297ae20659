"""``raq power``: which loss a run finds, and how many questions a loss needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import (
    add_folder_options,
    add_gate_options,
    add_json_option,
    add_store_option,
    gate_settings,
)
from pytest_raq.cli.output import ExitCode, write_result
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from pytest_raq.config import GateSettings, SuiteDefinition
    from pytest_raq.planning.power import RunSpread
    from pytest_raq.records.command_results import PlannedRun
    from pytest_raq.stats.power import Spread

GATE_OPTIONS = ("alpha", "pass_level", "margin", "min_effect")
DEFAULT_POWER = 0.8


def add_power_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq power``."""
    text = "show which loss of quality a run finds, and how many questions a loss needs"
    parser = commands.add_parser("power", help=text, description=text)
    parser.add_argument("--suite", default="", metavar="S", help="plan the next run of this suite")
    parser.add_argument(
        "--run", type=Path, metavar="FILE", help="take the spread from a file of --raq-json"
    )
    parser.add_argument(
        "--effect", type=float, metavar="E", help="also show how many questions find this loss"
    )
    parser.add_argument("--questions", type=int, metavar="N", help="questions of the run")
    parser.add_argument("--passages", type=int, metavar="M", help="passages they are about")
    parser.add_argument(
        "--changed", type=float, metavar="SHARE", help="share of answers ranked differently"
    )
    parser.add_argument(
        "--correlation", type=float, metavar="RHO", help="correlation within a passage"
    )
    parser.add_argument("--models", type=int, metavar="K", help="models that are tested")
    parser.add_argument(
        "--power",
        type=float,
        default=DEFAULT_POWER,
        metavar="P",
        help="share of runs that must find the loss (default: 0.8)",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="draw what runs of other sizes find, and how often an unchanged model passes them:"
        " .png, .svg or .pdf",
    )
    add_folder_options(parser, "suites")
    add_store_option(parser)
    add_json_option(parser)
    add_gate_options(parser, GATE_OPTIONS)
    parser.set_defaults(command=_power)


def _power(options: argparse.Namespace) -> int:
    from pytest_raq.planning.likelihood import last_result, plan_likelihood
    from pytest_raq.planning.power import make_plan
    from pytest_raq.report.figures.plot_file import require_plot
    from pytest_raq.report.figures.power import draw_plan
    from pytest_raq.report.json.commands import plan_to_json
    from pytest_raq.report.terminal.commands import plan_lines

    if options.plot is not None:
        require_plot(options.plot)
    suite = _suite(options)
    name, told, source = _last(options)
    settings = gate_settings(options, GATE_OPTIONS, suite.gate if suite else None)
    run = _planned_run(options, suite, told, settings, name)
    spreads, source = _spreads(options, told, source)
    effect = None if options.effect is None else abs(options.effect)
    table = last_result(options.store, options.run, options.suite or name)
    least = settings.likelihood_min_effect
    plan = replace(
        make_plan(run, spreads, source, effect),
        likelihood=plan_likelihood(run, table, least),
    )
    write_result(plan_lines(plan), plan_to_json(plan), options.json)
    if options.plot is not None:
        draw_plan(plan, options.plot)
    return ExitCode.FINE


def _suite(options: argparse.Namespace) -> SuiteDefinition | None:
    from pytest_raq.config import load_suite

    folder = options.suites_folder
    # A result file may hold a suite that is not defined here, as `answers` of raq rank.
    if not options.suite or (options.run and not (folder / f"{options.suite}.toml").exists()):
        return None
    return load_suite(folder, options.suite)


def _last(options: argparse.Namespace) -> tuple[str, RunSpread | None, str]:
    """Return the name of what is planned, the spread of its last run, and where that is from."""
    from pytest_raq.planning.power import read_last_run, read_results

    if options.run is not None:
        name, told = read_results(options.run, options.suite)
        return name, told, str(options.run)
    kept = read_last_run(options.store, options.suite) if options.suite else None
    return options.suite or "a run", kept, f"the last run ({options.store})"


def _planned_run(
    options: argparse.Namespace,
    suite: SuiteDefinition | None,
    told: RunSpread | None,
    settings: GateSettings,
    name: str,
) -> PlannedRun:
    from pytest_raq.records.command_results import PlannedRun

    if not 0 < options.power < 1:
        raise ConfigError(f"--power {options.power:g}: give a share between 0 and 1")
    questions, passages = _size(options, suite, told)
    known = len(suite.models) if suite else len(told.spreads) if told else 1
    return PlannedRun(
        name=name,
        questions=questions,
        passages=passages,
        models=known if options.models is None else options.models,
        alpha=settings.alpha,
        power=options.power,
        min_effect=settings.min_effect,
        margin=settings.margin,
        pass_level=settings.pass_level,
    )


def _size(
    options: argparse.Namespace, suite: SuiteDefinition | None, told: RunSpread | None
) -> tuple[int, int]:
    """Return questions and passages: as typed, else of the suite, else of its last run."""
    questions, passages = options.questions, options.passages
    for name, value in (("questions", questions), ("passages", passages)):
        if value is not None and value < 1:
            raise ConfigError(f"--{name} {value}: give 1 or more")
    if questions is not None and passages is not None:
        return questions, passages
    known = _known_size(suite, told)
    if questions is not None:
        return questions, max(1, round(questions * known[1] / known[0]))
    if passages is not None:
        return round(passages * known[0] / known[1]), passages
    return known


def _known_size(suite: SuiteDefinition | None, told: RunSpread | None) -> tuple[int, int]:
    if suite is not None:
        from pytest_raq.datasets import load_questions

        items = load_questions(suite.dataset, suite.path.parent).questions
        return len(items), len({item.cluster for item in items})
    if told is not None:
        return told.questions, told.passages
    raise ConfigError(
        "how large is the run? give --suite, --run, or both --questions and --passages"
    )


def _spreads(
    options: argparse.Namespace, told: RunSpread | None, source: str
) -> tuple[Mapping[str, Spread], str]:
    """Return the spreads to plan with, and in words where they are from."""
    from pytest_raq.planning.power import assumed_spread

    stated = assumed_spread(options.changed, options.correlation)
    if options.changed is not None:
        return {"": stated}, "as stated" if options.correlation is not None else (
            "as stated; the correlation within passages is assumed"
        )
    if told is not None and told.has_changes:
        if options.correlation is None:
            return told.spreads, source
        spreads = {
            model: replace(item, correlation=stated.correlation)
            for model, item in told.spreads.items()
        }
        return spreads, f"{source}; the correlation within passages as stated"
    why = "no run has measured it" if told is None else f"{source} changed no ranking"
    return {"": stated}, f"assumed, because {why}; state it with --changed and --correlation"
