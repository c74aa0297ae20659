from __future__ import annotations

import math

from pytest_raq.records import Interval, OmnibusTest, RankTests, StandingChange
from pytest_raq.stats.ranks import standing_changes

NAN = math.nan


def run(mean_ranks, p_values, **others):
    """Return a run of which all tests see the same p unless told otherwise."""
    names = tuple(mean_ranks)
    matrix = {a: {b: p_values.get(frozenset((a, b)), 1.0) for b in names} for a in names}
    tables = {"dunn_holm": matrix, "conover_holm": matrix, "permutation_holm": matrix} | others
    return RankTests(
        models=names,
        questions=60,
        passages=12,
        mean_ranks=mean_ranks,
        intervals=dict.fromkeys(names, Interval(NAN, NAN)),
        friedman=OmnibusTest(NAN, NAN),
        kruskal=OmnibusTest(NAN, NAN),
        **tables,
    )


AB = frozenset("ab")


def test_nothing_moved():
    same = run({"a": 1.2, "b": 1.8}, {AB: 0.01})
    assert standing_changes(same, same, 0.05) == ()


def test_a_pair_that_can_no_longer_be_separated_is_seen_by_each_test():
    changes = standing_changes(
        run({"a": 1.4, "b": 1.6}, {AB: 0.3}), run({"a": 1.2, "b": 1.8}, {AB: 0.01}), 0.05
    )
    assert [change.test for change in changes] == [
        "Dunn–Holm", "Conover–Holm", "permutation–Holm",
    ]  # fmt: skip
    assert changes[0] == StandingChange(
        better_before="a", first="a", second="b", better_now="",
        test="Dunn–Holm", p_before=0.01, p_now=0.3,
    )  # fmt: skip


def test_a_pair_that_changed_sides():
    changes = standing_changes(
        run({"a": 1.8, "b": 1.2}, {AB: 0.01}), run({"a": 1.2, "b": 1.8}, {AB: 0.01}), 0.05
    )
    assert {(change.better_before, change.better_now) for change in changes} == {("a", "b")}


def test_only_the_test_that_saw_it_is_named():
    before = run({"a": 1.4, "b": 1.6}, {AB: 0.3})
    now = run(
        {"a": 1.4, "b": 1.6}, {AB: 0.3},
        dunn_holm={"a": {"a": 1.0, "b": 0.05}, "b": {"a": 0.05, "b": 1.0}},
    )  # fmt: skip
    (change,) = standing_changes(now, before, 0.05)
    assert (change.test, change.better_now) == ("Dunn–Holm", "a")


def test_nan_is_not_separable_and_unknown_pairs_are_left_out():
    before = run({"a": 1.5, "b": 1.5, "c": 2.0}, {AB: NAN})
    now = run({"a": 1.4, "b": 1.6, "d": 3.0}, {AB: 0.2, frozenset("ad"): 0.001})
    assert standing_changes(now, before, 0.05) == ()
