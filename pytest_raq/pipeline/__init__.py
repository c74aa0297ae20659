"""One suite from questions to verdicts."""

from pytest_raq.pipeline.build import build_run
from pytest_raq.pipeline.run import SuiteRun

__all__ = ["SuiteRun", "build_run"]
