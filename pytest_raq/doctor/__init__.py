"""What a person types when something is off: everything a run needs, looked at once."""

from pytest_raq.doctor.examination import examine
from pytest_raq.doctor.patient import Patient

__all__ = [
    "Patient",
    "examine",
]
