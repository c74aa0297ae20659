"""Outputs of a run apart from the terminal: Markdown, metrics, the summary of a CI job."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.files import show_path, write_atomically
from pytest_raq.report.markdown.markup import annotation_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_raq.records import SuiteResult
    from pytest_raq.running.options import SessionOptions


def publish(options: SessionOptions, results: Sequence[SuiteResult]) -> list[str]:
    """Write the requested files and return what was done.

    Raises StoreError when one of them cannot be written.
    """
    told = []
    if options.markdown_path is not None:
        from pytest_raq.report.markdown.suite import run_markdown

        write_atomically(options.markdown_path, run_markdown(results))
        told.append(f"Markdown written to {show_path(options.markdown_path)}")
    if options.metrics_path is not None:
        from pytest_raq.report.openmetrics import run_metrics

        write_atomically(options.metrics_path, run_metrics(results, time=time.time()))
        told.append(f"metrics written to {show_path(options.metrics_path)}")
    return told


def publish_to_github(results: Sequence[SuiteResult]) -> list[str]:
    """Append to the summary of the job, if GitHub Actions names one.

    Returns the annotations to print; an error here does not fail the build.
    """
    told = []
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        from pytest_raq.report.markdown.suite import run_markdown

        try:
            with Path(path).open("a", encoding="utf-8", newline="\n") as file:
                file.write(f"\n{run_markdown(results)}\n")
        except OSError as exc:
            told.append(f"GITHUB_STEP_SUMMARY {path}: cannot be written: {exc.strerror}")
    if _is_on_github():
        told += annotation_lines(results)
    return told


def stop_commands() -> tuple[list[str], list[str]]:
    """Return lines before and after text of models, for GitHub Actions to obey nothing between.

    The word that ends it is new each time, so no answer can hold it.
    """
    if not _is_on_github():
        return [], []
    token = secrets.token_hex(16)
    return [f"::stop-commands::{token}"], [f"::{token}::"]


def _is_on_github() -> bool:
    return os.environ.get("GITHUB_ACTIONS") == "true"
