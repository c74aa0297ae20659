"""Entry point of ``raq``."""

from __future__ import annotations

import argparse
import sys
import traceback
from typing import TYPE_CHECKING

from pytest_raq import __version__
from pytest_raq.cli.baseline import add_baseline_command
from pytest_raq.cli.doctor import add_doctor_command
from pytest_raq.cli.history import add_history_command
from pytest_raq.cli.init import add_init_command
from pytest_raq.cli.judge import add_judge_command
from pytest_raq.cli.merge import add_merge_command
from pytest_raq.cli.models import add_models_command, add_quantize_command
from pytest_raq.cli.output import ExitCode
from pytest_raq.cli.power import add_power_command
from pytest_raq.cli.prompt import add_prompt_command
from pytest_raq.cli.rank import add_rank_command
from pytest_raq.cli.report import add_report_command
from pytest_raq.cli.schema import add_schema_command
from pytest_raq.cli.score import add_score_command
from pytest_raq.cli.store import add_store_command
from pytest_raq.cli.trials import add_engine_command, add_ladder_command
from pytest_raq.errors import MeasurementError, RaqError
from pytest_raq.termination import Termination
from pytest_raq.text import message_text

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``raq`` and return its exit code; a mistake of the user is one line."""
    options = _parser().parse_args(arguments)
    termination = Termination()
    try:
        return int(options.command(options))
    except KeyboardInterrupt:
        sys.stderr.write("\nraq: interrupted\n")
        return ExitCode.TERMINATED if termination.is_received else ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, as `raq … | head` does.
        sys.stderr.close()
        return ExitCode.FINE
    except Exception as exc:  # noqa: BLE001 - Python would exit with 1, which means a regression
        return _fail(exc)
    finally:
        termination.close()


def _fail(exc: Exception) -> ExitCode:
    """Tell an error in one line, and one that is our mistake with its traceback."""
    told, code = str(exc), ExitCode.USAGE
    if isinstance(exc, MeasurementError):
        code = ExitCode.NOT_MEASURED
    elif isinstance(exc, RecursionError | MemoryError):
        told = f"an input is too large or nested too deeply ({type(exc).__name__}): correct it"
    elif not isinstance(exc, RaqError):
        traceback.print_exception(exc)
        told = "this is a mistake of pytest-raq, not of a model: report the lines above"
        code = ExitCode.NOT_MEASURED
    sys.stderr.write(f"raq: {message_text(told)}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="raq",
        description="Relative answer quality without pytest.",
        epilog="exit codes: 0 fine, 1 regression, 2 usage, 3 could not measure",
    )
    parser.add_argument("--version", action="version", version=f"pytest-raq {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_init_command(commands)
    add_models_command(commands)
    add_prompt_command(commands)
    add_rank_command(commands)
    add_merge_command(commands)
    add_baseline_command(commands)
    add_power_command(commands)
    add_judge_command(commands)
    add_history_command(commands)
    add_store_command(commands)
    add_quantize_command(commands)
    add_ladder_command(commands)
    add_score_command(commands)
    add_engine_command(commands)
    add_report_command(commands)
    add_doctor_command(commands)
    add_schema_command(commands)
    return parser
