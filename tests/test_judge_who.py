"""A judge behind a server: kept verdicts are used only if the same one judges."""

from __future__ import annotations

import itertools

import pytest
from llm_judges import GOOD, asked, items, rank
from openai_server import rank_by, serving

from pytest_raq.judging import remember
from pytest_raq.store import Store

BAD = rank_by(lambda text: 1 if text.startswith("right") else 0)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.db") as store:
        yield store


def judge_again(judging, server, store, **settings):
    """Return the rankings of a new run, how often the judge was asked, and its note."""
    before = len(asked(server))
    judge = remember(judging(server, **settings), store)
    found = rank(judge, items(10, "wrong"))
    return found, len(asked(server)) - before, judge.note


def test_the_same_judge_judges_three_kept_cases_again(judging, store):
    with serving(GOOD) as server:
        first, count, _ = judge_again(judging, server, store)
        assert count == 10
        again, count, note = judge_again(judging, server, store)
    assert (again, count, note) == (first, 3, "")


def test_another_judge_under_the_same_name_judges_everything_again(judging, store):
    with serving(GOOD) as server:
        first, _, _ = judge_again(judging, server, store)
        server.reply = BAD
        now, count, note = judge_again(judging, server, store)
        assert count == 3 * 3 + 10
        assert note == (
            "model changed: 3 of 3 cases that were judged again have another order than the kept"
            " one: its kept verdicts are not used, and it judges again"
        )
        assert now[0].ranks == {"a": 2, "m0": 1} != first[0].ranks
        again, count, note = judge_again(judging, server, store)
        assert (again, count, note) == (now, 3, "")


def test_what_the_server_says_of_itself_counts_without_asking_cases(judging, store):
    with serving(GOOD) as server:
        server.routes["/props"] = {"model_path": "a.gguf"}
        judge_again(judging, server, store)
        server.routes["/props"] = {"model_path": "b.gguf"}
        _, count, note = judge_again(judging, server, store)
        assert count == 10
        assert note.startswith("model changed: props.model_path a.gguf → b.gguf: its kept")
        assert judge_again(judging, server, store, canaries=0)[1:] == (0, "")


def test_a_judge_that_is_off_ranks_nothing_however_much_is_kept(judging, store):
    with serving(GOOD) as server:
        judge_again(judging, server, store)
    found, _, _ = judge_again(judging, server, store)
    assert {ranking.ranks for ranking in found if not ranking.missing} == set()
    assert f"{server.url} cannot be reached" in found[0].missing


def test_without_canaries_a_judge_must_say_who_it_is(judging, store):
    with serving(GOOD) as server:
        judge_again(judging, server, store)
        _, count, note = judge_again(judging, server, store, canaries=0)
    assert count == 10
    assert note.startswith("nothing can be found out about who judges: ")


def test_a_sampled_judge_may_change_its_mind_once(judging, store):
    number = itertools.count()

    def reply(request):
        return (BAD if next(number) == 1 else GOOD)(request)  # 0 is the trial

    with serving(GOOD) as server:
        judge_again(judging, server, store, temperature=1.0)
        server.reply = reply
        _, count, note = judge_again(judging, server, store, temperature=1.0)
    assert (count, note) == (3 + 2, "")
