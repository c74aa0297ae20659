"""A judge behind a server on loopback: what it may cost, and what is kept."""

from __future__ import annotations

import time

import pytest
from llm_judges import GOOD, KEY, after_trial, asked, items, rank
from openai_server import serving

from pytest_raq.judging import rank_contestants, remember
from pytest_raq.store import Store


def test_a_budget_of_calls_stops_cleanly_and_the_next_run_goes_on(judging, tmp_path):
    with serving(GOOD) as server, Store(tmp_path / "store.db") as store:
        judge = judging(server, max_calls=11)
        found = rank(remember(judge, store), items(25, "wrong"))
        assert len(server.requests) == 11 == judge.spending.calls
        assert [bool(r.ranks) for r in found] == [True] * 10 + [False] * 15
        assert found[-1].missing == (
            "judge 'gpt': budget spent: max_calls = 11 in models/gpt.toml; verdicts so far are"
            " kept, and the next run continues from there"
        )
        for _ in range(3):
            found = rank(remember(judging(server, max_calls=11), store), items(25, "wrong"))
        assert not any(r.missing for r in found)
        rank(remember(judging(server, max_calls=11), store), items(25, "wrong"))
        assert len(asked(server)) == 25 + 4 * 3  # each run judges three kept cases again


@pytest.mark.parametrize(
    "budget",
    [{"max_tokens": 3000}, {"max_cost": 0.003, "input_price": 1.0, "output_price": 1.0}],
)
def test_a_budget_of_tokens_or_money_is_never_exceeded(judging, budget):
    with serving(GOOD) as server:
        judge = judging(server, concurrency=8, **budget)
        found = rank(judge, items(60, "wrong"))
        spent = judge.spending
    assert 10 < sum(bool(r.ranks) for r in found) < 27
    assert spent.prompt_tokens + spent.completion_tokens <= 3000
    assert "budget spent: max_" in found[-1].missing
    if spent.currency:
        assert spent.cost == pytest.approx(0.00011 * spent.calls)
        assert str(spent).endswith(f"tokens, {spent.cost:.4f} USD")


def test_every_exchange_is_kept_and_none_holds_the_key(judging, tmp_path):
    def leaky(request):
        good = GOOD(request)
        good.body["choices"][0]["message"]["content"] += f" {KEY}"
        return good

    with serving(after_trial(leaky)) as server, Store(tmp_path / "store.db") as store:
        judge = judging(server, input_price=2.0, output_price=4.0)
        seen = []
        verdicts = judge.order

        def order(cases):
            for verdict in verdicts(cases):
                seen.append(verdict)
                yield verdict

        judge.order = order
        rank(remember(judge, store), items(1, "wrong"))
    (verdict,) = seen
    first, second = verdict.exchanges
    assert first.reply.endswith(" [key]")
    assert "what is 0?" in first.prompt
    assert second.usage == {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "cost": pytest.approx(0.00024),
    }
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert KEY.encode() not in kept
    assert b"what is 0?" in kept


def test_leaving_early_gives_up_what_is_in_flight(judging):
    def slow(request):
        good = GOOD(request)
        good.after = 0.05
        return good

    with serving(slow) as server:
        judge = judging(server, concurrency=2)
        rankings = rank_contestants(judge, items(50, "wrong"))
        next(rankings)
        rankings.close()
        judge.close()
        sent = len(server.requests)
        assert sent < 12
        time.sleep(0.15)
        assert len(server.requests) == sent


def test_the_identity_says_all_that_can_change_a_verdict(judging):
    identity = judging("http://127.0.0.1:9/v1", orders=2, passage=True).identity
    assert identity.name == "gpt"
    assert len(identity.prompt_sha256) == 64
    assert identity.options == {
        "engine": "openai",
        "model": "m",
        "temperature": "0",
        "seed": "0",
        "orders": "2",
        "passage": "yes",
        "max_answer_length": "2000",
    }
