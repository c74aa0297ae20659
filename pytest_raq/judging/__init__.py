"""Judges, and the rankings made of their verdicts."""

from pytest_raq.judging.cache import CachedJudge, remember
from pytest_raq.judging.llm.judge import LlmJudge
from pytest_raq.judging.panel import Panel, PanelMember, as_panel
from pytest_raq.judging.protocol import Case, Judge, NoOrder, Order, Spending
from pytest_raq.judging.ranking import rank_contestants
from pytest_raq.judging.reference import ReferenceJudge, require_references
from pytest_raq.judging.registry import make_judge, open_judge, open_panel
from pytest_raq.judging.scripted import ScriptedJudge

__all__ = [
    "CachedJudge",
    "Case",
    "Judge",
    "LlmJudge",
    "NoOrder",
    "Order",
    "Panel",
    "PanelMember",
    "ReferenceJudge",
    "ScriptedJudge",
    "Spending",
    "as_panel",
    "make_judge",
    "open_judge",
    "open_panel",
    "rank_contestants",
    "remember",
    "require_references",
]
