"""Records as text: tables for a terminal, JSON for programs. Decides nothing."""

from pytest_raq.report.json.result import suite_to_json
from pytest_raq.report.terminal.progress import ProgressText, format_seconds
from pytest_raq.report.terminal.suite import Line, Style, suite_lines, verdict_lines

__all__ = [
    "Line",
    "ProgressText",
    "Style",
    "format_seconds",
    "suite_lines",
    "suite_to_json",
    "verdict_lines",
]
