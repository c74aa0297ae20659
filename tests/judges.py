"""Judges that are good, bad, or biased in a known way."""

from __future__ import annotations

import random

from pytest_raq.judging import NoOrder, Order, ScriptedJudge
from pytest_raq.records import OrderReading, Question
from pytest_raq.stats.mid_ranks import mid_ranks
from pytest_raq.stats.model_summary import normalize_answer, score


def question(name="q1", references=("France",), passage="", text="Where?"):
    return Question(name, "", passage or f"passage of {name}", text, tuple(references))


def questions(count=12):
    """Return questions about as many passages; the references share no word."""
    words = ["Paris", "1889", "Ada Lovelace", "the Baltic Sea", "3.14", "a silver spoon"]
    return [
        question(f"q{n}", (f"{words[n % 6]} {chr(97 + n) * 3}",), text=f"What is {n}?")
        for n in range(count)
    ]


def shuffled(case, salt=""):
    """Return the texts of a case in an order drawn from its id."""
    size = len(case.texts)
    return tuple(random.Random(case.question.id + salt).sample(range(size), size))  # noqa: S311


def tiers_by(figure, indices):
    """Return indices with equal figures together, the highest first."""
    figures = {index: figure(index) for index in indices}
    return tuple(
        tuple(index for index in indices if figures[index] == value)
        for value in sorted(set(figures.values()), reverse=True)
    )


def reading_judge(tiers_of, name="scripted", orders=1):
    """Return a judge that sees texts in an order drawn from the id, and maybe in its reverse.

    ``tiers_of`` is asked with a case and the indices in the order shown; the
    mid-ranks of all readings are averaged, as a judge in words does.
    """

    def verdict(case):
        shown = shuffled(case)
        readings = [
            OrderReading(order, tiers_of(case, order)) for order in (shown, shown[::-1])[:orders]
        ]
        ranks = [
            mid_ranks({str(i): place for place, tier in enumerate(item.tiers) for i in tier})
            for item in readings
        ]
        means = [-sum(rank[str(index)] for rank in ranks) for index in range(len(case.texts))]
        tiers = tiers_by(lambda index: means[index], range(len(case.texts)))
        same = len({item.tiers for item in readings}) == 1 if orders > 1 else None
        return Order(tiers, agreed=same, readings=tuple(readings))

    return ScriptedJudge(verdict, name)


def as_shown(_case, shown):
    return tuple((index,) for index in shown)


def by_meaning(case, shown):
    """Rank what is right first, then what holds it, then by the words in common."""
    references = [normalize_answer(reference) for reference in case.question.references]

    def closeness(index):
        text = case.texts[index]
        figures = score(text, case.question.references)
        holds = any(reference in normalize_answer(text) for reference in references)
        return figures.exact_match, holds, figures.f1

    return tiers_by(closeness, sorted(shown))


def by_length(case, shown):
    return tiers_by(lambda index: len(case.texts[index]), sorted(shown))


def all_level(_case, shown):
    return (tuple(sorted(shown)),)


def guessing(case, shown):
    size = len(shown)
    return as_shown(case, random.Random(case.question.id + "guess").sample(range(size), size))  # noqa: S311


def always_first(name="first", orders=1):
    return reading_judge(as_shown, name, orders)


def good(name="good", orders=1):
    return reading_judge(by_meaning, name, orders)


def silent(name="silent"):
    return ScriptedJudge(lambda _: NoOrder("the reply is no ranking"), name)
