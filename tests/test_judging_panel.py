"""Panels: mid-ranks averaged, own families left out, agreement told."""

from __future__ import annotations

import math
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judges import always_first, by_length, good, question, reading_judge, silent

from pytest_raq.errors import JudgeError
from pytest_raq.judging import (
    NoOrder,
    Order,
    Panel,
    PanelMember,
    ReferenceJudge,
    ScriptedJudge,
    rank_contestants,
)
from pytest_raq.judging.validation.agreement import agreement, habits
from pytest_raq.records import JudgeIdentity, Ranking
from pytest_raq.stats.mid_ranks import mid_ranks

NAMES = ["a", "b", "c", "d"]
TEXTS = dict(zip(NAMES, NAMES, strict=True))
TIERS = st.lists(st.integers(0, 3), min_size=4, max_size=4)
FAMILIES = {"a": "llama", "b": "gemma", "c": "mistral", "d": "qwen"}


def saying(name, places, family=""):
    """Return a seat whose judge puts texts in tiers: text → tier."""

    def verdict(case):
        tiers = sorted({places[text] for text in case.texts})
        return Order(
            tuple(
                tuple(i for i, text in enumerate(case.texts) if places[text] == tier)
                for tier in tiers
            )
        )

    return PanelMember(ScriptedJudge(verdict, name), family)


def in_order(name, order, family=""):
    return saying(name, {text: place for place, text in enumerate(order)}, family)


def rank(panel, texts=TEXTS, families=None):
    (ranking,) = rank_contestants(panel, [(question(), texts)], families)
    return ranking


def test_mid_ranks_are_averaged():
    panel = Panel([in_order("x", "abcd"), in_order("y", "bacd"), in_order("z", "acbd")])
    # Averages: a 4/3, b 2, c 8/3, d 4.
    assert rank(panel).ranks == {"a": 1, "b": 2, "c": 3, "d": 4}


def test_equal_averages_are_level():
    panel = Panel([in_order("x", "abcd"), in_order("y", "badc")])
    assert rank(panel).ranks == {"a": 1.5, "b": 1.5, "c": 3.5, "d": 3.5}


@given(st.lists(TIERS, min_size=1, max_size=5))
def test_a_panel_ranks_by_the_mean_of_its_judges_mid_ranks(said):
    seats = [
        saying(f"j{number}", dict(zip(NAMES, tiers, strict=True)))
        for number, tiers in enumerate(said)
    ]
    each = [mid_ranks(dict(zip(NAMES, tiers, strict=True))) for tiers in said]
    means = {name: round(fmean(ranks[name] for ranks in each), 6) for name in NAMES}
    assert rank(Panel(seats)).ranks == mid_ranks(means)


def test_a_text_counts_as_often_as_contestants_gave_it():
    panel = Panel([in_order("x", "abd"), in_order("y", "dab"), in_order("z", "dab")])
    assert rank(panel, {"a": "a", "b": "b", "d": "d"}).ranks == {"a": 1.5, "b": 3, "d": 1.5}
    # With b given twice the sums are a 1 + 2 + 2, d 4 + 1 + 1.
    twice = rank(panel, {"a": "a", "b": "b", "c": "b", "d": "d"})
    assert twice.ranks == {"a": 1, "b": 3.5, "c": 3.5, "d": 2}


def test_a_judge_never_sees_answers_of_its_own_family():
    seats = [in_order("x", "abcd", "llama"), in_order("y", "dcba", "gemma"), in_order("z", "abcd")]
    rank(Panel(seats), families=FAMILIES)
    assert [seat.judge.cases[0].texts for seat in seats] == [
        ("b", "c", "d"),
        ("a", "c", "d"),
        ("a", "b", "c", "d"),
    ]


def test_a_judge_cannot_favour_its_own_family():
    favours_a = in_order("x", "abcd", "llama")
    others = [in_order("y", "bcda"), in_order("z", "bcda")]
    assert rank(Panel([favours_a, *others]), families=FAMILIES).ranks["a"] == 4
    free = in_order("x", "abcd")
    assert rank(Panel([free, in_order("y", "bcda")]), families=FAMILIES).ranks["a"] < 4


def test_a_text_that_another_family_gave_too_is_still_of_its_own():
    seat = in_order("x", "abc", "llama")
    rank(Panel([seat, in_order("y", "abc")]), {"a": "a", "b": "a", "c": "c", "d": "b"}, FAMILIES)
    assert seat.judge.cases[0].texts == ("b", "c")


def test_who_ranked_what_else_does_not_matter():
    # The judge of the family of d orders a, b, c as the others do: nothing moves.
    seats = [in_order("x", "abc", "qwen"), in_order("y", "dabc"), in_order("z", "adbc")]
    assert rank(Panel(seats), families=FAMILIES).ranks == {"a": 1.5, "d": 1.5, "b": 3, "c": 4}


def test_where_every_judge_is_of_a_family_of_a_pair_there_is_no_ranking():
    panel = Panel([in_order("x", "abcd", "llama"), in_order("y", "abcd", "gemma")])
    assert rank(panel, families=FAMILIES) == Ranking(
        "q1", missing="two of the answers have no judge outside their own families"
    )
    only = {"a": "llama", "b": "llama"}
    assert rank(Panel([in_order("x", "ab", "llama"), in_order("y", "ab", "llama")]),
                {"a": "a", "b": "b"}, only).missing == (
        "every judge of the panel is of the family of one of the answers"
    )  # fmt: skip


def test_a_panel_of_one_is_its_judge():
    judge = ScriptedJudge(lambda _: NoOrder("no idea"), "alone")
    panel = Panel([PanelMember(judge, "llama")])
    assert panel.identity == judge.identity
    assert panel.is_free is False
    assert rank(panel, families=FAMILIES).missing == "no idea"
    assert judge.cases[0].texts == ("a", "b", "c", "d")


def test_the_identity_of_a_panel_names_each_judge_whatever_their_order():
    class Asked(ScriptedJudge):
        @property
        def identity(self):
            return JudgeIdentity("asked", "aa", {"orders": "2"})

    seats = [PanelMember(Asked(lambda _: None), "llama"), PanelMember(ReferenceJudge())]
    identity = Panel(seats).identity
    assert identity == Panel(seats[::-1]).identity
    assert identity.name == "asked, reference"
    assert identity.options == {
        "asked.family": "llama",
        "asked.orders": "2",
        "asked.prompt_sha256": "aa",
        "panel": "mid-ranks averaged, own family left out",
        "reference.edition": "2",
        "reference.rule": "grades",
    }


def test_judges_that_give_no_ranking_are_left_out_up_to_a_share():
    seats = [in_order("x", "abcd"), PanelMember(silent("y")), in_order("z", "abcd")]
    assert rank(Panel(seats, min_share=0.6)).ranks == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert rank(Panel(seats, min_share=0.7)).missing == (
        "2 of 3 judges gave a ranking; y: the reply is no ranking"
    )
    assert rank(Panel([PanelMember(silent("x")), PanelMember(silent("y"))])).missing == (
        "0 of 2 judges gave a ranking; x: the reply is no ranking; y: the reply is no ranking"
    )


def test_a_judge_that_fails_does_not_stop_the_others():
    def failing(case):
        if case.question.id == "q1":
            raise JudgeError("the budget of 1 call is spent")
        return Order(tuple((i,) for i in range(len(case.texts))))

    seats = [PanelMember(ScriptedJudge(failing, "x")), in_order("y", "dcba"), in_order("z", "dcba")]
    items = [(question(f"q{n}"), TEXTS) for n in range(3)]
    found = list(rank_contestants(Panel(seats), items))
    assert [ranking.ranks["d"] for ranking in found] == [1, 1, 1]
    assert seats[0].silent == {
        "q1": "the budget of 1 call is spent",
        "q2": "the budget of 1 call is spent",
    }


def test_an_order_that_is_not_complete_is_no_ranking_of_that_judge():
    seats = [PanelMember(ScriptedJudge(lambda _: Order(((0,),)), "x")), in_order("y", "abcd")]
    assert rank(Panel(seats)).ranks == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert seats[0].silent == {"q1": "the judge's order names text 2 of 4 not at all"}


def test_questions_are_ranked_in_order_also_by_judges_that_read_ahead():
    class Ahead(ScriptedJudge):
        def order(self, cases):
            yield from super().order(list(cases))

    seats = [
        PanelMember(Ahead(by_alphabet, "x"), "llama"),
        PanelMember(ScriptedJudge(by_alphabet, "y")),
    ]
    items = [(question(f"q{n}"), {"a": "a" * (n % 3 + 1), "b": "b", "c": "c"}) for n in range(7)]
    found = list(rank_contestants(Panel(seats), items, FAMILIES))
    assert [ranking.question_id for ranking in found] == [f"q{n}" for n in range(7)]
    assert all(ranking.ranks == {"a": 1, "b": 2, "c": 3} for ranking in found)


def by_alphabet(case):
    return Order(tuple((i,) for i in range(len(case.texts))))


def test_agreement_of_judges_on_two_questions():
    seats = [in_order("x", "abcd"), in_order("y", "abcd"), in_order("z", "dcba")]
    list(rank_contestants(Panel(seats), [(question(f"q{n}"), TEXTS) for n in range(2)]))
    found = agreement(seats)
    # R = 6, 7, 8, 9 around 7.5: S = 5, W = 12 · 5 / (9 · 60).
    assert found.by_question == {"q0": pytest.approx(1 / 9), "q1": pytest.approx(1 / 9)}
    assert found.kendall_w == pytest.approx(1 / 9)
    assert found.chance == pytest.approx(1 / 3)
    assert found.questions == 2
    assert found.alpha < 0
    taus = {(pair.first, pair.second): (pair.tau, pair.same.share) for pair in found.pairs}
    assert taus == {("x", "y"): (1, 1), ("x", "z"): (-1, 0), ("y", "z"): (-1, 0)}


def test_judges_that_agree_agree_fully():
    seats = [in_order("x", "abcd"), in_order("y", "abcd")]
    list(rank_contestants(Panel(seats), [(question(), TEXTS)]))
    found = agreement(seats)
    assert (found.kendall_w, found.alpha) == (1.0, 1.0)


def test_agreement_is_on_what_both_judges_have_seen():
    seats = [in_order("x", "bcd", "llama"), in_order("y", "abcd")]
    list(rank_contestants(Panel(seats), [(question(), TEXTS)], FAMILIES))
    assert agreement(seats).by_question == {"q1": 1.0}
    assert agreement(seats).pairs[0].same.total == 3


def test_a_judge_without_rankings_leaves_the_agreement_of_the_others():
    seats = [in_order("x", "abcd"), PanelMember(silent("y")), in_order("z", "abcd")]
    list(rank_contestants(Panel(seats), [(question(), TEXTS)]))
    found = agreement(seats)
    assert found.kendall_w == 1.0
    assert found.chance == 0.5
    assert math.isnan(found.pairs[0].tau)
    assert agreement([PanelMember(silent("y")), in_order("x", "abcd")]) is None


def test_habits_tell_position_length_and_f1():
    texts = {"a": "France", "b": "in France, as is well known", "c": "Rome"}
    items = [(question(f"q{n}"), texts) for n in range(30)]
    seats = [
        PanelMember(good()),
        PanelMember(always_first()),
        PanelMember(reading_judge(by_length, "long")),
    ]
    for seat in seats:
        list(rank_contestants(Panel([seat]), items))
    fine, first, long = (habits(seat) for seat in seats)
    assert (fine.f1.tau, first.position.tau, long.length.tau) == (1, 1, 1)
    assert abs(fine.position.tau) < 0.3
    assert first.position.p_value < 1e-6
    assert (fine.ranked, fine.missing, fine.agreed.total) == (30, 0, 0)


def test_habits_count_how_often_two_orders_agree():
    items = [(question(f"q{n}"), TEXTS) for n in range(5)]
    seat = PanelMember(always_first(orders=2))
    rankings = list(rank_contestants(Panel([seat]), items))
    assert all(set(ranking.ranks.values()) == {2.5} for ranking in rankings)
    assert (habits(seat).agreed.count, habits(seat).agreed.total) == (0, 5)
