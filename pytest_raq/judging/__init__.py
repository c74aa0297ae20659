"""Judges, and the rankings made of their verdicts."""

from pytest_raq.judging.judges import make_judge, open_judge
from pytest_raq.judging.llm import LlmJudge
from pytest_raq.judging.protocol import Case, Judge, NoOrder, Order, Spending
from pytest_raq.judging.ranking import mid_ranks, rank_contestants, restrict
from pytest_raq.judging.reference import ReferenceJudge, require_references
from pytest_raq.judging.remembering import RememberingJudge, remember
from pytest_raq.judging.scripted import ScriptedJudge

__all__ = [
    "Case",
    "Judge",
    "LlmJudge",
    "NoOrder",
    "Order",
    "ReferenceJudge",
    "RememberingJudge",
    "ScriptedJudge",
    "Spending",
    "make_judge",
    "mid_ranks",
    "open_judge",
    "rank_contestants",
    "remember",
    "require_references",
    "restrict",
]
