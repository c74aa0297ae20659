"""What outlives a run: answers, verdicts and runs; accepted baselines; result files."""

from pytest_raq.store.keys import AnswerKeys, hash_parts, likelihood_key, verdict_key
from pytest_raq.store.store import Store, open_for_run

__all__ = [
    "AnswerKeys",
    "Store",
    "hash_parts",
    "likelihood_key",
    "open_for_run",
    "verdict_key",
]
