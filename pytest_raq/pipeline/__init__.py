"""One suite from questions to verdicts."""

from pytest_raq.pipeline.build import Resources, build_run
from pytest_raq.pipeline.run import SuiteRun

__all__ = ["Resources", "SuiteRun", "build_run"]
