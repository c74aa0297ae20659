"""``raq merge``: the shards of a run decided as one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import add_folder_options, add_store_option
from pytest_raq.cli.output import ExitCode, verdict_code, write_result
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    import argparse

    from pytest_raq.running import Session, SessionOptions

_FILES = {
    "json": "the whole run as JSON, as --raq-json of a run without shards",
    "report": "the whole run as one HTML page",
    "markdown": "the whole run as Markdown, for a pull request",
    "metrics": "the whole run as OpenMetrics text",
}


def add_merge_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq merge``."""
    text = "decide a run whose questions were split over several jobs with --raq-shard"
    parser = commands.add_parser("merge", help=text, description=text)
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="the files that pytest --raq-shard I/N wrote, all N of them",
    )
    add_folder_options(parser, "suites", "baselines")
    add_folder_options(parser, "models", what="model definitions; their files are not needed")
    for name, what in _FILES.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write {what}")
    parser.add_argument(
        "--update", action="store_true", help="accept the whole run as the suites' baselines"
    )
    parser.add_argument(
        "--anchor",
        action="store_true",
        help="accept the whole run as baseline and as anchor, e.g. for a release; needs --reason",
    )
    parser.add_argument(
        "--base",
        default="",
        metavar="REV",
        help="judge by the suites, questions and baselines of this revision, as the shards did",
    )
    parser.add_argument(
        "--reason", default="", metavar="TEXT", help="why, kept with --update and --anchor"
    )
    add_store_option(parser)
    parser.set_defaults(command=_merge)


def _merge(options: argparse.Namespace) -> int:
    from contextlib import closing

    from pytest_raq.cli.output import CommandProgress
    from pytest_raq.running.merge import machine_notes, merge_shards
    from pytest_raq.running.shard_files import read_shard_files

    parts = read_shard_files(options.files)
    progress = CommandProgress()
    with closing(merge_shards(parts, _session_options(options), progress)) as session:
        try:
            return _decide(session, [*machine_notes(parts)])
        finally:
            progress.clear()


def _decide(session: Session, told: list[str]) -> int:
    from pytest_raq.report import suite_lines
    from pytest_raq.running import publish, publish_to_github

    for run in session.runs:
        for model in run.models:
            run.verdict(model)
    told += [*session.notices, *session.finish()]
    results = [run.result() for run in session.runs]
    told += publish(session.options, results)
    lines = [line.text for result in results for line in suite_lines(result)]
    write_result([*lines, *told, *publish_to_github(results)], None, None)
    codes = [
        verdict_code(result, run.suite.gate)
        for result, run in zip(results, session.runs, strict=True)
    ]
    order = (ExitCode.REGRESSION, ExitCode.NOT_MEASURED)
    return next((code for code in order if code in codes), ExitCode.FINE)


def _session_options(options: argparse.Namespace) -> SessionOptions:
    from pytest_raq.running import SessionOptions

    start = Path.cwd()
    for name in ("suites", "models"):
        folder = getattr(options, f"{name}_folder")
        if not folder.is_dir():
            raise ConfigError(f"{folder}: is not a folder; name it with --{name}-folder")
    files = {
        name: None if getattr(options, name) is None else start / getattr(options, name)
        for name in _FILES
    }
    return SessionOptions(
        suites_folder=start / options.suites_folder,
        models_folder=start / options.models_folder,
        baselines_folder=start / options.baselines_folder,
        store_path=start / options.store,
        update=options.update,
        anchor=options.anchor,
        reason=options.reason,
        base=options.base,
        start=start,
        json_path=files["json"],
        report_path=files["report"],
        markdown_path=files["markdown"],
        metrics_path=files["metrics"],
    )
