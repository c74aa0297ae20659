"""`raq doctor`: checks everything that a run needs."""

from pytest_raq.doctor.context import CheckContext
from pytest_raq.doctor.examination import examine

__all__ = [
    "CheckContext",
    "examine",
]
