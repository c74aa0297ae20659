"""``raq rank``: rank answers that any tool has made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import (
    add_folder_options,
    add_gate_options,
    add_json_option,
    add_python_option,
    add_store_option,
    gate_settings,
    whole_number_or_zero,
)
from pytest_raq.cli.output import verdict_code, write_result
from pytest_raq.errors import ConfigError, JudgeError
from pytest_raq.trials.logs import AUTO, FORMATS

if TYPE_CHECKING:
    import argparse

    from pytest_raq.config import GateSettings
    from pytest_raq.judging import Judge
    from pytest_raq.records import QuestionSet, SuiteResult
    from pytest_raq.trials.external_answers_file import AnswerTable

GATE_OPTIONS = (
    "alpha",
    "pass_level",
    "margin",
    "min_effect",
    "max_f1_drop",
    "max_missing",
    "min_judge_accuracy",
    "min_judges",
    "inconclusive",
    "suspect",
)
"""The settings of a suite's ``[gate]`` that answers without timings need."""


def add_rank_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq rank``."""
    text = "judge, rank and test answers from JSON Lines files and from logs of other tools"
    parser = commands.add_parser("rank", help=text, description=text)
    parser.add_argument(
        "files",
        nargs="+",
        metavar="[MODEL=]FILE",
        help="one object per line: id, model, answer, references, passage, question; or a log of"
        " lm-evaluation-harness, inspect_ai or promptfoo; MODEL names the model of a file",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=AUTO,
        help="what the files are (default: auto, by their content)",
    )
    parser.add_argument(
        "--dataset",
        metavar="SPEC",
        help="take references, passages and questions from there: a file, a saved dataset,"
        " a hub id, or the TOML file of a suite",
    )
    parser.add_argument("--split", help="the split of a hub or saved data set")
    parser.add_argument("--revision", help="the revision of a hub data set")
    parser.add_argument(
        "--judge",
        default="reference",
        metavar="NAME",
        help="who ranks, or a panel A,B,C (default: reference)",
    )
    parser.add_argument(
        "--judge-rule",
        type=_rule,
        default=(),
        metavar="RULE",
        help="how the judge reference ranks: grades, or figures as exact_match,contains,f1"
        " (default: grades)",
    )
    add_folder_options(parser, "models", what="definitions that a judge may name")
    parser.add_argument(
        "--baseline", default="", metavar="MODEL", help="compare the other models with this one"
    )
    parser.add_argument(
        "--anchor",
        default="",
        metavar="MODEL",
        help="with --baseline: compare with this one too, the state of the last release",
    )
    parser.add_argument(
        "--seed",
        type=whole_number_or_zero,
        default=0,
        metavar="S",
        help="seed of all resampling (default: 0)",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="ask a judge again what it was asked before"
    )
    add_python_option(parser)
    add_store_option(parser)
    add_json_option(parser)
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write the result as one HTML page too"
    )
    add_gate_options(parser, GATE_OPTIONS)
    parser.set_defaults(command=_rank)


def _rank(options: argparse.Namespace) -> int:
    from pytest_raq.judging import require_references
    from pytest_raq.judging.reference import NAME
    from pytest_raq.report import suite_lines, suite_to_json
    from pytest_raq.report.json.result import JSON_FORMAT
    from pytest_raq.running import split_names
    from pytest_raq.trials.external_answers_file import read_answers

    settings = gate_settings(options, GATE_OPTIONS)
    names = split_names(options.judge)
    if not names:
        raise ConfigError(f"--judge {options.judge!r}: name a judge, or several as A,B,C")
    files = [_split_name(text) for text in options.files]
    table = read_answers(
        [path for _, path in files],
        _dataset(options),
        needs_references=NAME in names,
        kind=options.format,
        names=[model for model, _ in files],
    )
    for name in names:
        require_references(name, table.questions.source, table.questions.questions)
    result, spent = _judge(table, settings, options)
    if options.report is not None:
        _write_report(options.report, result)
    write_result(
        [*(line.text for line in suite_lines(result)), *spent],
        {"format": JSON_FORMAT, "suites": {result.suite: suite_to_json(result)}},
        options.json,
    )
    return verdict_code(result, settings)


def _split_name(text: str) -> tuple[str, Path]:
    """Return the model and the path of ``MODEL=FILE``; no model for the name of a file."""
    model, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        return "", Path(text)
    if not (model.strip() and path and model.isprintable()):
        raise ConfigError(f"{text!r}: write MODEL=FILE, for example old=samples.jsonl")
    return model, Path(path)


def _rule(text: str) -> tuple[str, ...]:
    from argparse import ArgumentTypeError

    from pytest_raq.config import check_rule
    from pytest_raq.running import split_names

    try:
        rule = check_rule(text if text == "grades" else split_names(text))
    except ValueError as exc:
        raise ArgumentTypeError(str(exc)) from exc
    return rule if isinstance(rule, tuple) else ()


def _judge(
    table: AnswerTable, settings: GateSettings, options: argparse.Namespace
) -> tuple[SuiteResult, list[str]]:
    """Return the result, and what the judge cost; its verdicts are kept unless they are free.

    JudgeError when there is no ranking at all, for one reason.
    """
    from pytest_raq.cli.output import CommandProgress
    from pytest_raq.judging import open_judge, open_panel, remember
    from pytest_raq.running import split_names
    from pytest_raq.store import open_for_run
    from pytest_raq.trials.external_answers import rank_answers

    folder, names = options.models_folder, split_names(options.judge)
    judges = {
        name: open_judge(name, folder, rule=options.judge_rule, allow_python=options.allow_python)
        for name in names
    }
    is_free = all(judge.is_free for judge in judges.values())
    store = None if is_free else open_for_run(options.store)

    def open_one(name: str) -> Judge:
        return remember(judges[name], store, fresh=options.fresh) if store else judges[name]

    judge = open_panel(names, folder, open_one, min_share=settings.min_judges)
    try:
        result = rank_answers(
            table,
            judge,
            settings,
            baseline=options.baseline,
            anchor=options.anchor,
            seed=options.seed,
            progress=CommandProgress(),
        )
    finally:
        judge.close()
        if store:
            store.close()
    reasons = {item.missing for item in result.questions}
    if not judge.is_free and len(reasons) == 1 and (reason := reasons.pop()):
        raise JudgeError(reason)
    spent = str(judge.spending)
    told = [f"judge {options.judge}: {spent}"] if spent else []
    return result, [*(store.notices if store else ()), *told]


def _write_report(path: Path, result: SuiteResult) -> None:
    from pytest_raq.files import write_atomically
    from pytest_raq.report import suite_to_json
    from pytest_raq.report.page.suite import page_html, page_suite

    suite = page_suite(result, suite_to_json(result))
    facts = {"Source": result.provenance.source}
    write_atomically(path, page_html([suite], facts))


def _dataset(options: argparse.Namespace) -> QuestionSet | None:
    if options.dataset is None:
        for name in ("split", "revision"):
            if getattr(options, name) is not None:
                raise ConfigError(f"--{name} selects a part of --dataset: give both")
        return None
    from pytest_raq.config import choose_dataset
    from pytest_raq.datasets import load_questions

    if not options.dataset.strip():
        raise ConfigError("--dataset is empty: give a file, a folder, a suite or a hub id")
    given = {name: getattr(options, name) for name in ("split", "revision")}
    settings = choose_dataset(
        options.dataset, {name: value for name, value in given.items() if value is not None}
    )
    return load_questions(settings, Path.cwd())
