"""`raq doctor`: checks everything that a run needs."""

from pytest_raq.doctor.examination import examine
from pytest_raq.doctor.patient import Patient

__all__ = [
    "Patient",
    "examine",
]
