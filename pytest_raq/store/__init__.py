"""What outlives a run: stored answers, accepted baselines, result files."""

from pytest_raq.store.answers import AnswerStore, answer_key
from pytest_raq.store.baselines import (
    baseline_path,
    load_baseline,
    parse_baseline,
    read_baseline,
    save_baseline,
)
from pytest_raq.store.files import show_path, write_atomically
from pytest_raq.store.forgiving import ForgivingStore
from pytest_raq.store.machine import describe_machine, describe_versions

__all__ = [
    "AnswerStore",
    "ForgivingStore",
    "answer_key",
    "baseline_path",
    "describe_machine",
    "describe_versions",
    "load_baseline",
    "parse_baseline",
    "read_baseline",
    "save_baseline",
    "show_path",
    "write_atomically",
]
