"""Judges, and the rankings made of their verdicts."""

from pytest_raq.judging.cache import RememberingJudge, remember
from pytest_raq.judging.llm.judge import LlmJudge
from pytest_raq.judging.panel import Panel, Seat, as_panel
from pytest_raq.judging.protocol import Case, Judge, NoOrder, Order, Spending
from pytest_raq.judging.ranking import rank_contestants
from pytest_raq.judging.reference import ReferenceJudge, require_references
from pytest_raq.judging.registry import make_judge, open_judge, open_panel
from pytest_raq.judging.scripted import ScriptedJudge

__all__ = [
    "Case",
    "Judge",
    "LlmJudge",
    "NoOrder",
    "Order",
    "Panel",
    "ReferenceJudge",
    "RememberingJudge",
    "ScriptedJudge",
    "Seat",
    "Spending",
    "as_panel",
    "make_judge",
    "open_judge",
    "open_panel",
    "rank_contestants",
    "remember",
    "require_references",
]
