"""What outlives a run: answers, verdicts and runs; accepted baselines; result files."""

from pytest_raq.store.baselines import (
    baseline_path,
    load_baseline,
    parse_baseline,
    read_baseline,
    save_baseline,
)
from pytest_raq.store.digests import hash_file
from pytest_raq.store.files import show_path, write_atomically
from pytest_raq.store.forgiving import ForgivingStore
from pytest_raq.store.keys import AnswerKeys, hash_parts, verdict_key
from pytest_raq.store.machine import describe_machine, describe_versions
from pytest_raq.store.store import Store

__all__ = [
    "AnswerKeys",
    "ForgivingStore",
    "Store",
    "baseline_path",
    "describe_machine",
    "describe_versions",
    "hash_file",
    "hash_parts",
    "load_baseline",
    "parse_baseline",
    "read_baseline",
    "save_baseline",
    "show_path",
    "verdict_key",
    "write_atomically",
]
