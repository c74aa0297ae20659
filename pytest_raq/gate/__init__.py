"""What a run means for one model: pass, regression, or why neither could be decided."""

from pytest_raq.gate.rules import GateInput, decide, is_failure

__all__ = [
    "GateInput",
    "decide",
    "is_failure",
]
