"""A judge behind a server on loopback: what it is asked, and what is made of its replies."""

from __future__ import annotations

import json
import time

import pytest
from llm_judges import GOOD, KEY, after_trial, asked, items, question, rank
from openai_server import Response, chat, error, rank_by, serving, shown

from pytest_raq.errors import JudgeError


def test_a_good_judge_ranks_and_ties(judging):
    with serving(GOOD) as server:
        judge = judging(server)
        rankings = rank(judge, items(5, "wrong", "worse"))
        assert [ranking.ranks for ranking in rankings] == [{"a": 1, "m0": 2.5, "m1": 2.5}] * 5
        assert judge.spending.calls == 6
        assert len(server.requests) == 6
        assert {request["temperature"] for request in server.requests} == {0.0}
        assert server.keys[0] == f"Bearer {KEY}"


def test_the_order_is_drawn_per_question_and_the_same_in_every_run(judging):
    with serving(GOOD) as server:
        rank(judging(server), items(40, "wrong"))
        rank(judging(server), items(40, "wrong"))
        orders = [list(shown(request).values()) for request in asked(server)]
    firsts = sum(order[0].startswith("right") for order in orders[:40])
    assert sorted(orders[:40]) == sorted(orders[40:])
    assert 8 < firsts < 32


def test_where_nothing_is_to_be_decided_nothing_is_asked(judging):
    same = [(question(1), {"a": "x", "b": " x\n"})]
    right = [(question(1), {"a": "right 1", "b": "right  1"})]
    thought = [(question(1), {"a": "<think>hm</think>x", "b": "x"})]
    cut_alike = [(question(1), {"a": "word " * 20 + "b", "b": "word " * 20 + "c"})]
    with serving(GOOD) as server:
        judge = judging(server, max_answer_length=40)
        for entries in (same, right, thought, cut_alike):
            assert [r.ranks for r in rank(judge, entries)] == [{"a": 1.5, "b": 1.5}]
        assert asked(server) == []


def test_two_orders_are_averaged_and_their_agreement_told(judging):
    def first_wins(request):
        labels = list(shown(request))
        return chat(json.dumps({name: index + 1 for index, name in enumerate(labels)}))

    with serving(first_wins) as server:
        biased = rank(judging(server, orders=2, concurrency=1), items(3, "wrong", "worse"))
        assert [r.ranks for r in biased] == [{"a": 2, "m0": 2, "m1": 2}] * 3
        assert [r.orders_agreed for r in biased] == [False] * 3
        assert len(asked(server)) == 6
        first, second = (list(shown(request).values()) for request in asked(server)[:2])
        assert first == second[::-1]
        server.reply = GOOD
        good = rank(judging(server, orders=2), items(3, "wrong", "worse"))
        assert [r.orders_agreed for r in good] == [True] * 3
        assert [r.orders_agreed for r in rank(judging(server), items(1, "wrong"))] == [None]


@pytest.mark.parametrize("count", [12, 30])
def test_many_answers_have_labels_enough(judging, count):
    entries = [(question(1), {f"m{n}": f"answer {n}" for n in range(count)})]
    with serving(
        rank_by(lambda text: int("0" + text.removeprefix("answer ") * text.startswith("answer ")))
    ) as server:
        (ranking,) = rank(judging(server), entries)
    assert ranking.ranks == {f"m{n}": n + 1 for n in range(count)}


def test_an_answer_in_any_script_reaches_the_judge_unharmed(judging):
    said = '감사합니다 3.14 on 2024-01-05 👍\n```python\nprint("\\n")\n```'
    entries = [(question(1), {"a": said, "b": "wrong"})]
    with serving(rank_by(lambda text: 0 if text == said else 1)) as server:
        (ranking,) = rank(judging(server), entries)
    assert ranking.ranks == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (chat("A is best, B comes second."), "the reply is not only JSON"),
        (chat('{"A": 1}'), 'the reply names "B" not at all'),
        (chat('{"A": 1, "A": 2, "B": 1}'), 'the reply names "A" 2 times'),
        (chat(""), "the reply is empty"),
        (chat(None, refusal="I cannot"), "the reply is empty"),
        (chat('{"A": 1, "B"', reason="length"), "it was cut after 256 tokens"),
    ],
)
def test_a_reply_that_is_no_order_is_asked_for_again_then_missing(judging, reply, fault):
    with serving(after_trial(reply)) as server:
        (ranking,) = rank(judging(server), items(1, "wrong"))
        assert ranking.ranks == {"a": 1, "m0": 2}
        assert len(asked(server)) == 2
        again = asked(server)[1]["messages"][0]["content"]
        assert f"Your last reply was of no use: {fault}" in again
        server.reply = after_trial(*[reply] * 9)
        (ranking,) = rank(judging(server, attempts=2), items(1, "wrong"))
        assert not ranking.ranks
        assert ranking.missing.startswith("the judge was asked 2 times and gave no complete order:")
        assert fault in ranking.missing


def test_a_refused_order_of_two_leaves_nothing_to_average(judging):
    with serving(after_trial(GOOD, *[chat("no")] * 9)) as server:
        (ranking,) = rank(judging(server, orders=2, attempts=2, concurrency=1), items(1, "wrong"))
    assert ranking.missing.startswith("the judge was asked 2 times")


def test_retry_after_is_honoured(judging):
    busy = error(429, "slow down", **{"Retry-After": "1"})
    with serving(after_trial(busy)) as server:
        start = time.monotonic()
        (ranking,) = rank(judging(server), items(1, "wrong"))
        assert time.monotonic() - start >= 1
    assert ranking.ranks == {"a": 1, "m0": 2}


@pytest.mark.parametrize(
    "trouble",
    [
        error(500, "oops"),
        Response(b"x" * 200, cut_at=20),
        Response(b"x" * 200, cut_at=0),
    ],
)
def test_trouble_on_the_way_is_tried_again(judging, trouble):
    with serving(after_trial(trouble)) as server:
        (ranking,) = rank(judging(server), items(1, "wrong"))
        assert ranking.ranks == {"a": 1, "m0": 2}
        assert len(asked(server)) == 2


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (error(500, "oops"), "{url} failed (500: oops)"),
        (error(429, "slow down"), "{url} still takes no more requests (429: slow down)"),
        (error(400, "too long"), "{url} refuses the request (400: too long)"),
        (Response(b"x" * 200, cut_at=20), "{url} cut the connection before its reply was complete"),
        (
            Response(b"<html>hello", headers={"Content-Type": "text/html"}),
            "{url} sent something that is not",
        ),
        (
            Response({"hello": 1}),
            "{url} sent something that is not a completion: it has no choices",
        ),
        (Response([1, 2]), "{url} sent something that is not a completion: it has no choices"),
        (
            Response({}, after=1.5),
            "{url} sent nothing for 0.5 s: raise timeout in models/gpt.toml, or send fewer requests at once",  # noqa: E501
        ),
    ],
)
def test_trouble_that_stays_makes_the_ranking_missing(judging, trouble, message):
    with serving(after_trial(*[trouble] * 9)) as server:
        judge = judging(server, max_retries=1, timeout=0.5 if trouble.after else 5.0)
        found = rank(judge, items(2, "wrong"))
        url = server.url
    assert found[0].missing.startswith(message.format(url=url))


def test_a_judge_that_fails_again_and_again_ends(judging):
    with serving(after_trial(*[error(400, "no")] * 99)) as server:
        found = rank(judging(server, concurrency=1), items(20, "wrong"))
        assert len(asked(server)) < 9
    assert found[0].missing == f"{server.url} refuses the request (400: no)"
    assert found[-1].missing == (
        f"judge 'gpt': 5 requests failed in a row: {server.url} refuses the request (400: no)"
    )


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            error(401, f"Incorrect API key provided: {KEY}"),
            (
                "{url} refuses the key in JUDGE_KEY (401: Incorrect API key provided: [key]):"
                " correct it, or api_key_env in models/gpt.toml"
            ),
        ),
        (error(403, "no"), "{url} does not allow model 'm' (403: no): ask its administrator"),
        (
            error(404, "The model `m` does not exist"),
            (
                "{url} does not know model 'm', or is not a /v1 address (404: The model `m` does not"  # noqa: E501
                " exist): correct model or base_url in models/gpt.toml"
            ),
        ),
        (
            Response(
                {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}, 429
            ),
            "{url} has no credit left (429: You exceeded your quota)",
        ),
        (error(500, "oops"), "{url} failed (500: oops)"),
    ],
)
def test_a_judge_that_cannot_be_asked_says_so_in_one_line(judging, reply, message):
    with serving(lambda _: reply) as server:
        judge = judging(server, max_retries=1)
        for _ in range(2):
            with pytest.raises(JudgeError) as caught:
                judge.prepare()
            assert str(caught.value) == "judge 'gpt': " + message.format(url=server.url)
        (ranking,) = rank(judge, items(1, "wrong"))
        assert ranking.missing == str(caught.value)


def test_a_model_without_room_to_reply_is_told_before_it_is_paid_for(judging):
    with (
        serving(lambda _: chat("", reason="length")) as server,
        pytest.raises(JudgeError) as caught,
    ):
        judging(server).prepare()
    assert str(caught.value) == (
        "judge 'gpt': its reply was cut after 256 tokens: raise max_tokens in models/gpt.toml;"
        " a model that reasons needs some thousands"
    )


def test_a_server_that_says_nothing_is_not_waited_for_again_and_again(judging):
    def silent(_):
        return Response({}, after=1.0)

    with serving(silent) as server:
        with pytest.raises(JudgeError, match=r"sent nothing for 0\.3 s: raise timeout in"):
            judging(server, timeout=0.3, max_retries=9).prepare()
        assert len(server.requests) == 1


def test_no_server_no_key_no_host(judging, monkeypatch):
    monkeypatch.setenv("RAQ_KEYS", "JUDGE_KEY=nowhere.invalid")
    for url, why in {
        "http://127.0.0.1:9/v1": "it refuses the connection",
        "https://nowhere.invalid/v1": "",
    }.items():
        with pytest.raises(JudgeError) as caught:
            judging(url).prepare()
        assert str(caught.value).startswith(f"judge 'gpt': {url} cannot be reached ({why}")
        assert str(caught.value).endswith(
            "): start the server, or correct base_url in models/gpt.toml"
        )
    monkeypatch.delenv("JUDGE_KEY")
    with pytest.raises(JudgeError) as caught:
        judging("http://127.0.0.1:9/v1").prepare()
    assert str(caught.value) == (
        "judge 'gpt': models/gpt.toml: the environment variable JUDGE_KEY is not set: put the key"
        ' of the server there, or write api_key_env = "" for a server that wants none'
    )


FORMS = ["json_schema", "json_object", "tool", "plain"]


def form_of(request):
    if "tools" in request:
        return "tool"
    return request["response_format"]["type"] if "response_format" in request else "plain"


@pytest.mark.parametrize("known", FORMS)
def test_the_form_is_found_by_asking_once(judging, known):
    """A server refuses what it does not know, or takes no notice of it."""

    def reply(request):
        form = form_of(request)
        good = GOOD(request)
        if FORMS.index(form) < FORMS.index(known):
            return error(422, "no such form") if form == "json_schema" else chat("Let me see …")
        if form == "tool":
            ranks = good.body["choices"][0]["message"]["content"]
            call = {"type": "function", "function": {"name": "rank", "arguments": ranks}}
            return chat(None, tool_calls=[call], reason="tool_calls")
        return good

    with serving(reply) as server:
        found = rank(judging(server), items(4, "wrong"))
        assert [r.ranks for r in found] == [{"a": 1, "m0": 2}] * 4
        assert {form_of(request) for request in asked(server)} == {known}
        assert len(server.requests) - len(asked(server)) == FORMS.index(known) + 1


def test_what_a_server_does_not_take_is_not_sent_again(judging):
    def reply(request):
        if "max_tokens" in request:
            said = "'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
            return error(400, f"Unsupported parameter: {said}")
        if "seed" in request:
            return error(422, "seed: extra fields not permitted")
        return GOOD(request)

    with serving(reply) as server:
        found = rank(judging(server), items(2, "wrong"))
        assert not any(r.missing for r in found)
        assert {"seed", "max_tokens"}.isdisjoint(asked(server)[0])
        judging(server, temperature=1.0).prepare()
        assert len(server.requests) == 6  # 2 refusals, 1 trial, 2 answers; known to the next judge


def test_no_more_requests_at_once_than_allowed(judging):
    def slow(request):
        good = GOOD(request)
        good.after = 0.03
        return good

    with serving(slow) as server:
        rank(judging(server, concurrency=5), items(40, "wrong"))
        assert server.most_flying == 5
