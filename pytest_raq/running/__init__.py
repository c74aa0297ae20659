"""One suite from questions to verdicts."""

from pytest_raq.running.build import Resources, build_run
from pytest_raq.running.options import SessionOptions, parse_swaps, place_dataset, split_names
from pytest_raq.running.outputs import publish, publish_to_github, stop_commands
from pytest_raq.running.session import Session
from pytest_raq.running.shards import parse_shard
from pytest_raq.running.suite_run import SuiteRun

__all__ = [
    "Resources",
    "Session",
    "SessionOptions",
    "SuiteRun",
    "build_run",
    "parse_shard",
    "parse_swaps",
    "place_dataset",
    "publish",
    "publish_to_github",
    "split_names",
    "stop_commands",
]
