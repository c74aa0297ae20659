"""A run of suites: options in, results out, without pytest."""

from pytest_raq.pipeline.shards import parse_shard
from pytest_raq.session.options import SessionOptions, parse_swaps, place_dataset, split_names
from pytest_raq.session.publishing import publish, publish_to_github
from pytest_raq.session.session import Session

__all__ = [
    "Session",
    "SessionOptions",
    "parse_shard",
    "parse_swaps",
    "place_dataset",
    "publish",
    "publish_to_github",
    "split_names",
]
