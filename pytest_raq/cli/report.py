"""``raq report``: a run as one HTML page."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.cli.options import add_store_option
from pytest_raq.cli.output import ExitCode, write_result
from pytest_raq.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from pytest_raq.history.runs import KeptRun, ReportedRun

OUT = Path("raq-report.html")


def add_report_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``raq report``."""
    text = "show a run as one self-contained HTML page"
    parser = commands.add_parser("report", help=text, description=text)
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="the id of a run, or its beginning (default: the last run);"
        " or files of --raq-json or raq rank --json",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"write the page here (default: {OUT})",
    )
    parser.add_argument(
        "--figures",
        type=Path,
        metavar="DIR",
        help="write the pictures as SVG and PNG files into this folder, and no page without --out",
    )
    parser.add_argument(
        "--list", action="store_true", help="only list the runs that can be shown, latest first"
    )
    add_store_option(parser)
    parser.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    if options.list:
        return _list(options)
    out = options.out or (None if options.figures else OUT)
    if out is not None and out.is_dir():
        raise ConfigError(f"--out {out}: is a folder; give a file")
    run = find_run(options.runs, options.store)
    name = run.facts.get("Run") or ", ".join(options.runs)
    told = [] if out is None else [_write_page(run, name, out)]
    if options.figures is not None:
        told.append(_write_figures(run, name, options.figures))
    write_result(told, None, None)
    return ExitCode.FINE


def _write_page(run: ReportedRun, name: str, out: Path) -> str:
    from pytest_raq.files import show_path, write_atomically
    from pytest_raq.report.page.suite import page_html

    write_atomically(out, page_html(run.suites, run.facts))
    return f"report of {name} written to {show_path(out)}"


def _write_figures(run: ReportedRun, name: str, folder: Path) -> str:
    from pytest_raq.files import show_path
    from pytest_raq.report.figures.files import write_figures

    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--figures {folder}: is a file; give a folder")
    written = write_figures([suite.result for suite in run.suites], folder)
    return f"{len(written)} files with pictures of {name} written to {show_path(folder)}"


def find_run(names: list[str], store: Path) -> ReportedRun:
    """Return the chosen run: the last one, one by its id, or files of results.

    ConfigError says what is wrong with a name, StoreError what with the store.
    """
    from pytest_raq.history.runs import LAST, read_kept_run, read_run_files

    if not names:
        return read_kept_run(store, LAST)
    paths = [Path(name) for name in names]
    if len(names) == 1 and not _is_path(paths[0]):
        return read_kept_run(store, names[0])
    return read_run_files(paths)


def _is_path(path: Path) -> bool:
    try:
        return path.exists() or path.suffix == ".json" or len(path.parts) > 1
    except OSError:  # too long for a name
        return False


def _list(options: argparse.Namespace) -> int:
    from pytest_raq.history.runs import kept_runs

    if options.runs:
        raise ConfigError(f"--list lists all runs; leave out {options.runs[0]}")
    lines = [_line(run) for run in kept_runs(options.store)]
    write_result(lines or [f"{options.store}: no run is kept"], None, None)
    return ExitCode.FINE


def _line(run: KeptRun) -> str:
    from pytest_raq.text import safe_text

    time = run.records[0].time if run.records else ""
    return f"{run.id}  {time:20}  {safe_text(', '.join(_suites(run)))}"


def _suites(run: KeptRun) -> Iterator[str]:
    records = {record.suite: record for record in run.records}
    for suite in run.suites:
        record = records.get(suite)
        verdicts = Counter(model.verdict for model in record.models.values()) if record else {}
        told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
        yield f"{suite} ({told})" if told else suite
