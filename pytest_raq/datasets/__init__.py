"""Questions from files, saved data sets and hubs."""

from pytest_raq.datasets.loading import fingerprint, guess_encoding, is_on_hub, load_questions
from pytest_raq.datasets.selection import sample_questions

__all__ = [
    "fingerprint",
    "guess_encoding",
    "is_on_hub",
    "load_questions",
    "sample_questions",
]
