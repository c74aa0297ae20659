"""Reasoning of models behind servers: in the text, beside it, and what is asked of the server."""

from __future__ import annotations

import json

import openai._base_client
import pytest
from openai_server import Response, chat, error, serving
from test_openai_engine import ask, chat_prompt, definition

from pytest_raq.engines import open_engine
from pytest_raq.records import Failure, FinishReason, Prompt


@pytest.fixture(autouse=True)
def short_delays(monkeypatch):
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-secret-of-the-test")


def stream_of(*deltas, reason="stop", usage=None):
    chunks = [{"choices": [{"delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"delta": {}, "finish_reason": reason}]})
    chunks += [{"choices": [], "usage": usage}] if usage else []
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return Response(body.encode(), headers={"Content-Type": "text/event-stream"})


def content(*parts):
    return [{"content": part} for part in parts]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_beside_the_text_is_kept_apart(name):
    deltas = [{name: "The user"}, {name: " asks."}, *content("Pa", "ris")]
    with serving(lambda _: stream_of(*deltas)) as server:
        (answer,) = ask(server, chat_prompt())
    assert (answer.text, answer.reasoning) == ("Paris", "The user asks.")
    timing = answer.timing
    assert (timing.reasoning_tokens, timing.generated_tokens) == (2, 4)
    assert 0 < timing.time_to_first_token <= timing.time_to_first_answer <= timing.total_seconds


def test_reasoning_in_the_text_is_told_from_it_and_counted():
    deltas = content("<think>", "The user", " asks.", "</think>", "\n\n", "Pa", "ris")
    usage = {"completion_tokens": 14, "prompt_tokens": 3}
    with serving(lambda _: stream_of(*deltas, usage=usage)) as server:
        (answer,) = ask(server, chat_prompt())
    assert (answer.text, answer.reasoning) == ("Paris", "The user asks.")
    assert answer.timing.reasoning_tokens == 10  # 5 of 7 pieces of 14 tokens


def test_the_server_counts_tokens_of_reasoning_better():
    usage = {
        "completion_tokens": 90,
        "prompt_tokens": 3,
        "completion_tokens_details": {"reasoning_tokens": 64},
    }
    deltas = [{"reasoning_content": "hm"}, *content("Paris")]
    with serving(lambda _: stream_of(*deltas, usage=usage)) as server:
        (answer,) = ask(server, chat_prompt())
    assert answer.timing.reasoning_tokens == 64


def test_a_message_in_parts_may_have_thinking_parts():
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "Paris"},
    ]
    with serving(lambda _: chat(parts)) as server:
        (answer,) = ask(server, chat_prompt())
    assert (answer.text, answer.reasoning) == ("Paris", "hm")
    assert answer.timing.time_to_first_answer == 0.0  # one piece shows no time


def test_a_template_of_the_server_may_have_opened_the_block():
    with serving(
        lambda _: stream_of(*content("The user asks.\n", "</think>", "\n\nParis"))
    ) as server:
        (answer,) = ask(server, chat_prompt())
    assert (answer.text, answer.reasoning) == ("Paris", "The user asks.")


@pytest.mark.parametrize(
    ("deltas", "reason"),
    [
        (content("<think>", "The user"), "length"),
        (content("<think>", "The user"), "stop"),
        ([{"reasoning_content": "The user"}], "length"),
        ([{"reasoning_content": "The user"}], "stop"),
    ],
)
def test_an_answer_that_never_begins_is_unfinished(deltas, reason):
    with serving(lambda _: stream_of(*deltas, reason=reason)) as server:
        (answer,) = ask(server, chat_prompt())
    assert (answer.text, answer.reasoning, answer.unfinished) == ("", "The user", True)
    assert answer.finish_reason is FinishReason(reason)


def test_reasoning_has_room_beside_the_answer_and_stop_strings_are_kept_from_it():
    deltas = content("<think>one\ntwo</think>", "\n\nParis", "\nmore")
    with serving(lambda _: stream_of(*deltas)) as server:
        (answer,) = ask(server, chat_prompt(), max_tokens=9, max_reasoning_tokens=500, stop=["\n"])
    assert (answer.text, answer.reasoning) == ("Paris", "one\ntwo")
    assert server.requests[0]["max_tokens"] == 509
    assert "stop" not in server.requests[0]


def test_kept_reasoning_is_a_part_of_the_answer():
    with serving(lambda _: stream_of(*content("<think>hm</think>", "Paris"))) as server:
        (answer,) = ask(server, chat_prompt(), reasoning="keep")
    assert (answer.text, answer.unfinished) == ("<think>hm</think>Paris", False)


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({}, None),
        ({"reasoning": "off"}, {"enable_thinking": False, "thinking": False}),
        ({"template": {"enable_thinking": False}}, {"enable_thinking": False}),
        ({"template": {"reasoning_effort": "low"}}, {"reasoning_effort": "low"}),
    ],
)
def test_variables_of_the_template_go_to_the_server(settings, sent):
    with serving(lambda _: stream_of(*content("Paris"))) as server:
        ask(server, chat_prompt(), **settings)
    assert server.requests[0].get("chat_template_kwargs") == sent


def test_a_server_that_takes_no_variables_is_told_with_the_key_to_remove():
    message = "Unrecognized request argument supplied: chat_template_kwargs"
    with serving(lambda _: error(400, message)) as server:
        (failure,) = ask(server, chat_prompt(), reasoning="off")
    assert isinstance(failure, Failure)
    assert failure.is_infrastructure
    assert failure.reason.endswith(
        'the server takes no variables of a chat template; remove reasoning = "off" from'
        " models/remote.toml"
    )


def test_a_plain_prompt_that_opens_the_block_is_known():
    reply = stream_of()
    reply.body = (
        b'data: {"choices": [{"text": "hm </think> Paris", "finish_reason": "stop"}]}\n\n'
        b"data: [DONE]\n\n"
    )
    with serving(lambda _: reply) as server:
        made = definition(server, prompt="{question}\n<think>\n")
        with open_engine(made) as engine:
            (answer,) = engine.answers([Prompt("q", "Capital?\n<think>\n")])
    assert (answer.text, answer.reasoning) == ("Paris", "hm")
