"""Figures from which the gate decides, made up: worse, level, and unsure."""

from __future__ import annotations

import math
from dataclasses import replace

from pytest_raq.config import GateSettings
from pytest_raq.gate import GateInput
from pytest_raq.records import Interval, QualityEvidence

NAN = math.nan
SETTINGS = GateSettings()
WORSE = QualityEvidence(
    questions=60, passages=12, worse=14, better=3, tied=43, net_preference=-11 / 60,
    interval=Interval(-0.30, -0.07), p_value=0.003, adjusted_p=0.003, exact=True, detectable=0.21,
)  # fmt: skip
LEVEL = replace(
    WORSE, worse=0, better=0, tied=60, net_preference=0.0, interval=Interval(-0.06, 0.05),
    p_value=1.0, adjusted_p=1.0,
)  # fmt: skip
UNSURE = replace(
    WORSE, worse=8, better=4, tied=48, net_preference=-4 / 60, interval=Interval(-0.2, 0.05),
    p_value=0.2, adjusted_p=0.2,
)  # fmt: skip


def given_input(**changes):
    return replace(GateInput("m", 60, 60, 60, quality=LEVEL), **changes)
