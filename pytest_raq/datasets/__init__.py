"""Questions from files, saved data sets and hubs."""

from pytest_raq.datasets.loading import fingerprint, load_questions
from pytest_raq.datasets.sampling import sample_questions

__all__ = ["fingerprint", "load_questions", "sample_questions"]
