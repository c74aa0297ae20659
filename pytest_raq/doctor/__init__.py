"""What a person types when something is off: everything a run needs, looked at once."""

from pytest_raq.doctor.examination import Patient, examine

__all__ = ["Patient", "examine"]
