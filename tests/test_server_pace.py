"""Servers that take fewer requests at a time than they are sent."""

from __future__ import annotations

import threading
from pathlib import Path

import openai._base_client
import pytest
from openai_server import rank_by, serving, stream

from pytest_raq.config import ModelDefinition
from pytest_raq.engines import open_engine
from pytest_raq.engines.openai_compat import pace
from pytest_raq.engines.openai_compat.completions import Completion
from pytest_raq.engines.openai_compat.pace import Pace, Turn
from pytest_raq.engines.openai_compat.slots import Slots
from pytest_raq.judging import Case, make_judge
from pytest_raq.records import Prompt, Question


@pytest.fixture(autouse=True)
def short_delays(monkeypatch):
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)


def definition(server, name="remote", **settings):
    server_settings = {"base_url": server.url, "model": name, "max_retries": 0}
    return ModelDefinition.model_validate(
        {
            "name": name,
            "path": Path("models/remote.toml"),
            "engine": "openai",
            "timeout": 5.0,
            "openai": server_settings,
            **settings,
        }
    )


def slowly(reply):
    """Reply a moment later, so that the next request comes meanwhile."""

    def answer(request):
        response = reply(request)
        response.after = 0.01
        return response

    return answer


def ask(server, count, **settings):
    prompts = [Prompt(f"q{n}", f"what is {n}?", chat=True) for n in range(count)]
    with open_engine(definition(server, **settings)) as engine:
        return list(engine.answers(prompts)), engine.info


NOTE = (
    "the server drops a reply when more requests come, so it was asked one question at a time:"
    " write parallel = 1"
)


def test_a_server_that_drops_replies_is_asked_one_question_at_a_time_for_the_whole_run():
    with serving(slowly(lambda _: stream(["x"])), drops=True) as server:
        outcomes, info = ask(server, 12, parallel=6)
        assert [item.text for item in outcomes] == ["x"] * 12  # with no retry at all
        assert info.note == NOTE
        sent = len(server.requests)
        assert sent <= 12 + 3 * 6
        server.most_flying = 0
        outcomes, info = ask(server, 5, name="another", parallel=4)
        assert [item.text for item in outcomes] == ["x"] * 5
        assert (server.most_flying, len(server.requests)) == (1, sent + 5)
        assert info.note == NOTE

        server.reply = slowly(rank_by(len))
        judge = make_judge(definition(server, judge={"concurrency": 4}))
        cases = [
            Case(Question(f"q{n}", "", "", "Where?", ("Paris",)), ("Paris", f"Lyon {n}"))
            for n in range(4)
        ]
        orders = list(judge.order(cases))
        judge.close()
        assert [order.tiers for order in orders] == [((0,), (1,))] * 4
        assert server.most_flying == 1
        assert "write concurrency = 1" in judge.note


def test_a_judge_on_a_server_that_drops_whole_replies_gets_them_all():
    with serving(slowly(rank_by(len)), drops=True) as server:
        judge = make_judge(definition(server, judge={"concurrency": 8, "attempts": 1}))
        cases = [
            Case(Question(f"q{n}", "", "", "Where?", ("Paris",)), ("Paris", f"Lyon {n}"))
            for n in range(16)
        ]
        orders = list(judge.order(cases))
        judge.close()
    assert [order.tiers for order in orders] == [((0,), (1,))] * 16
    assert judge.note == NOTE.replace("parallel", "concurrency")


def test_a_reply_that_is_cut_though_nothing_else_was_asked_slows_nothing_down():
    with serving(lambda _: stream(["half"], reason=None, done=False)) as server:
        outcomes, info = ask(server, 2, parallel=1)
        assert [item.reason for item in outcomes] == [
            f"{server.url} cut the connection before its reply was complete"
        ] * 2
        assert len(server.requests) == 2
        assert info.note == ""


def test_a_server_that_never_completes_a_reply_gets_no_note_and_trying_ends():
    with serving(slowly(lambda _: stream(["half"], reason=None))) as server:
        outcomes, info = ask(server, 4, parallel=4)
        assert len(outcomes) == 4
        assert len(server.requests) <= 4 * 4
        assert info.note == ""


def test_the_limit_is_halved_once_for_all_requests_that_flew_together():
    flow = Pace("http://a/v1")
    turns = [Turn(flow) for _ in range(4)]
    for turn in turns:
        turn.begin()
    assert flow.drop(turns[0])
    assert flow.limit == 2
    assert all(map(flow.drop, turns[1:]))
    assert flow.limit == 2
    for turn in turns:
        turn.end()
    for turn in turns[:2]:
        turn.begin()
    assert flow.drop(turns[1])
    assert flow.limit == 1
    waiting = threading.Thread(target=turns[2].begin)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()  # two are still under way
    turns[0].end()
    turns[1].end()
    waiting.join(5)
    assert not waiting.is_alive()
    assert not flow.drop(turns[2])  # alone: the server's own trouble
    assert flow.tell("parallel") == ""  # nothing was complete yet
    turns[2].complete()
    assert flow.tell("parallel") == NOTE


def test_processes_of_a_run_ask_such_a_server_one_after_the_other(tmp_path):
    pace.share_pace(tmp_path)
    try:
        here, there = Pace("http://a/v1"), Pace("http://a/v1")  # as in two processes
        one, other = Turn(here), Turn(there)
        one.begin()
        assert one.again()  # alone in this process, but others may have asked too
        assert here.limit == 1
        waiting = threading.Thread(target=other.begin)
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
        one.end()
        waiting.join(5)
        assert not waiting.is_alive()
        assert there.limit == 1
        other.end()
    finally:
        pace.share_pace(None)


def replies(slots, count, *, seconds, prefill, at_once=1):
    """Let a server of some slots answer requests that were all sent at the beginning."""
    for number in range(count):
        begin = (number // at_once) * (prefill + seconds)
        first, last = begin + prefill, begin + prefill + seconds
        slots.add(
            100.0, Completion(pieces=5, first_seconds=first, last_seconds=last, total_seconds=last)
        )


def test_a_server_of_one_slot_is_recognized_by_its_times():
    single, several, unknown = Slots(), Slots(), Slots()
    replies(single, 20, seconds=1.0, prefill=0.5)
    replies(several, 20, seconds=1.0, prefill=0.5, at_once=2)
    replies(unknown, 20, seconds=0.001, prefill=0.5)
    assert [each.is_single for each in (single, several, unknown)] == [True, False, False]
    assert single.note == (
        "the server answers one request at a time: more at once are no faster, and their time to"
        " first token includes the wait for the others: write parallel = 1"
    )
    replies(single, 2, seconds=1.0, prefill=0.5, at_once=2)  # two at once, after all
    assert (single.is_single, single.note) == (False, "")


def test_replies_that_did_not_wait_for_each_other_show_no_slots():
    slots = Slots()
    for number in range(50):
        slots.add(
            number * 10.0,
            Completion(pieces=5, first_seconds=0.1, last_seconds=2.0, total_seconds=2.0),
        )
    assert not slots.is_single
