from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.errors import ConfigError, JudgeError
from pytest_raq.judging import (
    NoOrder,
    Order,
    ReferenceJudge,
    ScriptedJudge,
    open_judge,
    rank_contestants,
)
from pytest_raq.records import UNANSWERABLE, JudgeIdentity, Question, Ranking
from pytest_raq.stats.mid_ranks import mid_ranks, restrict

NAMES = ["gemma", "llama", "mistral", "gemma before", "llama before"]
WORDS = st.sampled_from(["France", "in France", " in France", "the  France", "Paris", "", "."])
TEXTS = st.dictionaries(st.sampled_from(NAMES), WORDS, min_size=1)


def question(name="q1", references=("France",)):
    return Question(name, "title", "passage", "where?", tuple(references))


def rank(judge, texts, **options):
    (ranking,) = rank_contestants(judge, [(question(**options), texts)])
    return ranking


def by_length():
    """A judge of total orders: shorter is better."""

    def verdict(case):
        order = sorted(range(len(case.texts)), key=lambda index: len(case.texts[index]))
        return Order(tuple((index,) for index in order))

    return ScriptedJudge(verdict)


def saying(tiers):
    return ScriptedJudge(lambda _: Order(tiers))


def test_ranks_by_closeness_with_ties():
    texts = {"a": "Paris", "b": "the France", "c": "in France", "d": "Rome", "e": "France"}
    assert rank(ReferenceJudge(), texts).ranks == {"a": 4.5, "b": 1.5, "c": 3, "d": 4.5, "e": 1.5}


def test_the_best_reference_counts():
    texts = {"a": "10th century", "b": "the 10th and 11th centuries"}
    assert rank(ReferenceJudge(), texts, references=("11th century",)).ranks == {"a": 2, "b": 1}
    references = ("10th and 11th centuries", "tenth century")
    assert rank(ReferenceJudge(), texts, references=references).ranks == {"a": 1.5, "b": 1.5}


def test_the_same_words_in_another_order_come_after_an_exact_match():
    texts = {"a": "York New", "b": "New York"}
    assert rank(ReferenceJudge(), texts, references=("New York",)).ranks == {"a": 2, "b": 1}


def test_an_exact_match_of_nothing_but_an_article_is_best():
    texts = {"a": "the", "b": "which one", "c": "one"}
    ranks = rank(ReferenceJudge(), texts, references=("The", "one")).ranks
    assert ranks == {"a": 1.5, "b": 3, "c": 1.5}


def test_equal_f1_ties_whatever_the_rounding():
    # 2/5 = 4/10 = 6/15 with three words expected
    texts = {"a": "x q", "b": "x y " + "q " * 5, "c": "x y q z " + "q " * 8}
    assert set(rank(ReferenceJudge(), texts, references=("x y z",)).ranks.values()) == {2.0}


def test_abstaining_ranks_first_where_there_is_no_answer():
    texts = {"a": "Unanswerable.", "b": "", "c": "France"}
    ranks = rank(ReferenceJudge(), texts, references=(UNANSWERABLE,)).ranks
    assert ranks == {"a": 1.5, "b": 1.5, "c": 3}


def test_the_identity_is_stable():
    identity = ReferenceJudge().identity
    assert identity == JudgeIdentity("reference", "", {"rule": "grades", "edition": "2"})
    assert identity == ReferenceJudge().identity


@given(TEXTS)
def test_ranks_sum_to_what_they_must(texts):
    ranks = rank(ReferenceJudge(), texts).ranks
    assert ranks.keys() == texts.keys()
    assert sum(ranks.values()) == len(texts) * (len(texts) + 1) / 2


@given(TEXTS, st.permutations(NAMES))
def test_relabelling_contestants_permutes_the_ranks(texts, permuted):
    relabel = dict(zip(NAMES, permuted, strict=True))
    ranks = rank(ReferenceJudge(), texts).ranks
    again = rank(ReferenceJudge(), {relabel[name]: text for name, text in texts.items()}).ranks
    assert again == {relabel[name]: value for name, value in ranks.items()}


@given(TEXTS, st.randoms())
def test_the_order_of_contestants_does_not_matter(texts, random):
    shuffled = list(texts.items())
    random.shuffle(shuffled)
    judge, other = by_length(), by_length()
    assert rank(judge, texts) == rank(other, dict(shuffled))
    assert judge.cases == other.cases


@given(TEXTS)
def test_equal_texts_get_equal_ranks(texts):
    ranks = rank(by_length(), texts).ranks
    for first, one in texts.items():
        for second, other in texts.items():
            assert (one.strip() == other.strip()) == (ranks[first] == ranks[second])


def test_equal_texts_are_merged_before_the_judge_sees_them():
    judge = by_length()
    assert rank(judge, {"a": " xx", "b": "y", "c": "xx\n"}).ranks == {"a": 2.5, "b": 1, "c": 2.5}
    assert [case.texts for case in judge.cases] == [("xx", "y")]


def test_a_judge_is_not_asked_where_all_texts_are_equal():
    judge = by_length()
    items = [(question("q1"), {"a": "x", "b": "x "}), (question("q2"), {"a": "x"})]
    assert [ranking.ranks for ranking in rank_contestants(judge, items)] == [
        {"a": 1.5, "b": 1.5},
        {"a": 1.0},
    ]
    assert judge.cases == []


def test_no_answers_are_no_ranking():
    assert rank(by_length(), {}) == Ranking("q1", missing="there are no answers to rank")


def test_verdicts_go_to_their_questions():
    items = [
        (question("q1"), {"a": "x", "b": "yy"}),
        (question("q2"), {"a": "same", "b": "same"}),
        (question("q3"), {}),
        (question("q4"), {"a": "xx", "b": "y"}),
    ]
    found = list(rank_contestants(by_length(), items))
    assert [ranking.question_id for ranking in found] == ["q1", "q2", "q3", "q4"]
    assert [dict(ranking.ranks) for ranking in found] == [
        {"a": 1, "b": 2},
        {"a": 1.5, "b": 1.5},
        {},
        {"a": 2, "b": 1},
    ]


def test_a_judge_that_reads_ahead_gets_its_verdicts_to_their_questions():
    class Ahead:
        is_free = False
        identity = JudgeIdentity("ahead")

        def order(self, cases):
            yield from by_length().order(list(cases))

    items = [(question(f"q{i}"), {"a": "x" * i, "b": "yy"}) for i in (1, 3, 1)]
    items.insert(1, (question("level"), {"a": "x", "b": "x"}))
    assert [ranking.ranks["a"] for ranking in rank_contestants(Ahead(), items)] == [1, 1.5, 2, 1]


def test_answers_are_pulled_one_question_at_a_time():
    pulled = []

    def items():
        for name in ("q1", "q2", "q3"):
            pulled.append(name)
            yield question(name), {"a": "x", "b": "yy"}

    next(rank_contestants(ReferenceJudge(), items()))
    assert pulled == ["q1"]


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        (((0,),), "the judge's order names text 2 of 3 not at all"),
        ((), "the judge's order names text 1 of 3 not at all"),
        (((0, 1), (2, 1)), "the judge's order names text 2 of 3 2 times"),
        (((0,), (1,), (2,), (3,)), "the judge's order names text 4 of 3"),
        (((-1,), (0, 1, 2)), "the judge's order names text 0 of 3"),
    ],
)
def test_an_order_that_is_not_complete_is_missing(tiers, message):
    ranking = rank(saying(tiers), {"a": "x", "b": "y", "c": "z", "d": "z"})
    assert ranking == Ranking("q1", missing=message)


def test_an_empty_tier_does_not_count():
    assert rank(saying(((), (1,), (), (0,))), {"a": "x", "b": "y"}).ranks == {"a": 2, "b": 1}


def test_no_order_is_missing_with_its_reason():
    judge = ScriptedJudge(lambda _: NoOrder("the reply was no JSON"))
    assert rank(judge, {"a": "x", "b": "y"}) == Ranking("q1", missing="the reply was no JSON")


def test_a_judge_that_falls_silent_leaves_the_rest_missing():
    class Silent:
        is_free = False
        identity = JudgeIdentity("silent")

        def order(self, cases):
            next(iter(cases))
            yield Order(((0,), (1,)))

    items = [(question(name), {"a": "x", "b": "y"}) for name in ("q1", "q2", "q3")]
    first, *rest = rank_contestants(Silent(), items)
    assert first.ranks == {"a": 1, "b": 2}
    assert {ranking.missing for ranking in rest} == {"judge 'silent' gave no verdict"}


def test_a_judge_that_fails_leaves_the_rest_missing_with_the_reason():
    def verdict(case):
        if case.question.id == "q2":
            raise JudgeError("the budget of 1 call is spent")
        return Order(((0,), (1,)))

    items = [(question(name), {"a": "x", "b": "y"}) for name in ("q1", "q2", "q3")]
    items.append((question("q4"), {"a": "x", "b": "x"}))
    found = list(rank_contestants(ScriptedJudge(verdict), items))
    reason = "the budget of 1 call is spent"
    assert [ranking.missing for ranking in found] == ["", reason, reason, ""]
    assert found[3].ranks == {"a": 1.5, "b": 1.5}


def test_mid_ranks_of_nobody():
    assert mid_ranks({}) == {}


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3)))
def test_mid_ranks_count_who_is_better_and_level(tiers):
    ranks = mid_ranks(tiers)
    for name, tier in tiers.items():
        better = sum(other < tier for other in tiers.values())
        level = sum(other == tier for other in tiers.values())
        assert ranks[name] == better + (level + 1) / 2


@given(TEXTS, st.sets(st.sampled_from(NAMES)))
def test_restricting_is_ranking_a_subset(texts, chosen):
    whole = rank(by_length(), texts)
    subset = {name: text for name, text in texts.items() if name in chosen}
    assert restrict(whole, chosen) == rank(by_length(), subset)


def test_a_missing_ranking_stays_missing():
    missing = Ranking("q1", missing="why")
    assert restrict(missing, ["a"]) is missing


def test_the_reference_judge_is_known_by_name(tmp_path):
    assert isinstance(open_judge("reference", tmp_path), ReferenceJudge)


def test_unknown_judges_are_told(tmp_path):
    (tmp_path / "gpt-mini.toml").touch()
    for name, message in {
        "Referense": "no judge 'Referense': did you mean 'reference'?",
        "gtp-mini": "no judge 'gtp-mini': did you mean 'gpt-mini'?",
        "claude": "no judge 'claude': use judge = 'reference', or the name of a definition in"
        f" {tmp_path}",
    }.items():
        with pytest.raises(ConfigError) as caught:
            open_judge(name, tmp_path)
        assert str(caught.value) == message
