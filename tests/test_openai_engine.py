"""A contestant behind a server on loopback: streamed, timed, and never mistaken for its trouble."""

from __future__ import annotations

import json
import time
from pathlib import Path

import openai._base_client
import pytest
from openai_server import Response, chat, error, serving, stream

from pytest_raq.config import ModelDefinition
from pytest_raq.engines import open_engine
from pytest_raq.engines.openai_compat.cut_prompts import CutPrompts
from pytest_raq.errors import EngineStartError
from pytest_raq.records import Answer, Failure, FinishReason, Prompt

KEY = "sk-the-secret-of-the-test"


@pytest.fixture(autouse=True)
def short_delays(monkeypatch):
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def definition(server, *, timeout=5.0, max_retries=1, **settings):
    url = server if isinstance(server, str) else server.url
    return ModelDefinition.model_validate(
        {
            "name": "remote",
            "path": Path("models/remote.toml"),
            "engine": "openai",
            "timeout": timeout,
            "openai": {"base_url": url, "model": "m", "max_retries": max_retries},
            **settings,
        }
    )


def ask(server, *prompts, **settings):
    with open_engine(definition(server, **settings)) as engine:
        return list(engine.answers(prompts))


def chat_prompt(number=0):
    return Prompt(f"q{number}", f"what is {number}?", chat=True)


def plain_stream(text, reason="stop"):
    chunks = [{"choices": [{"text": part, "finish_reason": None}]} for part in text]
    chunks.append({"choices": [{"text": "", "finish_reason": reason}]})
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return Response(body.encode(), headers={"Content-Type": "text/event-stream"})


def test_a_chat_answer_is_streamed_and_timed():
    with serving(lambda _: stream(["Se", "o", "ul "])) as server:
        (answer,) = ask(server, chat_prompt(), max_tokens=9, seed=3, stop=["\n"])
    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish_reason) == ("Seoul", FinishReason.STOP)
    timing = answer.timing
    assert (timing.prompt_tokens, timing.generated_tokens, timing.is_estimate) == (50, 7, False)
    assert 0 < timing.time_to_first_token <= timing.total_seconds < 5
    assert server.paths == ["/v1/chat/completions"]
    assert server.keys == [f"Bearer {KEY}"]
    assert server.requests == [
        {
            "messages": [{"role": "user", "content": "what is 0?"}],
            "model": "m",
            "max_tokens": 9,
            "temperature": 0.0,
            "seed": 3,
            "stop": ["\n"],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ]


def test_a_plain_prompt_goes_to_the_server_as_it_is():
    with serving(lambda _: plain_stream(["Seoul", "\nQuestion:"], "length")) as server:
        (answer,) = ask(server, Prompt("q", "Q: capital?\nA:"), stop=["\n"])
        assert server.paths == ["/v1/completions"]
        assert server.requests[0]["prompt"] == "Q: capital?\nA:"
    assert (answer.text, answer.finish_reason) == ("Seoul", FinishReason.STOP)
    assert answer.timing.generated_tokens == 1  # nobody counted: the pieces are
    assert answer.timing.is_estimate


def test_a_server_that_does_not_stream_is_understood():
    with serving(lambda _: chat("Seoul")) as server:
        (answer,) = ask(server, chat_prompt())
    assert answer.text == "Seoul"
    assert answer.timing.decode_tokens_per_second is None


def test_a_message_in_parts_is_understood():
    with serving(lambda _: chat([{"type": "text", "text": "Se"}, {"text": "oul"}, 3])) as server:
        (answer,) = ask(server, chat_prompt())
    assert answer.text == "Seoul"


def test_reasoning_is_no_part_of_the_answer_but_of_the_time():
    parts = [{"reasoning_content": "hm"}, {"content": "4"}]
    chunks = [{"choices": [{"delta": part}]} for part in parts]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks).encode()
    with serving(lambda _: Response(body, headers={"Content-Type": "text/event-stream"})) as server:
        (answer,) = ask(server, chat_prompt())
    assert (answer.text, answer.timing.generated_tokens) == ("4", 2)


def test_questions_are_asked_in_parallel_and_each_has_its_answer():
    def reply(request):
        response = stream([request["messages"][0]["content"]])
        response.after = 0.03
        return response

    with serving(reply) as server:
        answers = ask(server, *map(chat_prompt, range(20)), parallel=5)
        assert server.most_flying == 5
    assert {a.question_id: a.text for a in answers} == {f"q{n}": f"what is {n}?" for n in range(20)}


def test_leaving_early_sends_nothing_more():
    def reply(_):
        response = stream(["x"])
        response.after = 0.05
        return response

    with serving(reply) as server, open_engine(definition(server, parallel=2)) as engine:
        outcomes = engine.answers(list(map(chat_prompt, range(30))))
        next(outcomes)
        outcomes.close()
        sent = len(server.requests)
        time.sleep(0.2)
        assert len(server.requests) <= min(sent + 1, 5)
        (after,) = engine.answers([chat_prompt(99)])
        assert after.question_id == "q99"


@pytest.mark.parametrize(
    "trouble",
    [
        error(500, "oops"),
        Response(
            stream(["half an"]).body, headers={"Content-Type": "text/event-stream"}, cut_at=60
        ),
        stream(["half an"], reason=None, done=False),
        Response({"error": {"message": "The server is busy, try again"}}),
        Response({"object": "error", "message": "x", "code": 503}),
        Response({"error": "Loading model"}),
        Response(
            b'data: {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}\n\n',
            headers={"Content-Type": "text/event-stream"},
        ),
    ],
)
def test_trouble_on_the_way_is_tried_again(trouble):
    waiting = [trouble]
    with serving(lambda _: waiting.pop() if waiting else stream(["whole"])) as server:
        (answer,) = ask(server, chat_prompt())
        assert len(server.requests) == 2
    assert answer.text == "whole"


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (error(500, "oops"), "{url} failed (500: oops)"),
        (error(400, "too long"), "{url} refuses the request (400: too long)"),
        (
            stream(["half"], reason=None, done=False),
            "{url} cut the connection before its reply was complete",
        ),
        (
            Response(b"data: {garbage\n\n", headers={"Content-Type": "text/event-stream"}),
            "{url} sent something that is not a completion: ",
        ),
        (
            Response(b"data: [1, 2]\n\n", headers={"Content-Type": "text/event-stream"}),
            "{url} sent something that is not a completion: its stream has no choices",
        ),
        (
            Response(
                b'data: {"error": {"message": "out of memory"}}\n\n',
                headers={"Content-Type": "text/event-stream"},
            ),
            "{url} failed: out of memory",
        ),
        (
            stream(["I can"], reason="content_filter"),
            "the server withheld the answer (finish_reason 'content_filter')",
        ),
        (
            stream([""], reason="tool_calls"),
            "answered with a tool call (finish_reason 'tool_calls'), not with a text: start the",
        ),
        (Response({"error": {"message": "out of memory"}}), "{url} failed: out of memory"),
        (Response({"error": {"message": "bad", "code": 400}}), "{url} refuses the request (400: b"),
        (Response({"error": "model is overloaded"}), "{url} is still too busy (model is overl"),
        (
            Response({"error": {"message": "You have no credit", "code": 429}}),
            "{url} has no credit left (429: You have no credit)",
        ),
        (Response(b"", after=1.0), "{url} sent nothing for 0.3 s: raise timeout in"),
    ],
)
def test_trouble_that_stays_is_a_failure_never_an_answer(trouble, reason):
    with serving(lambda _: trouble) as server:
        timeout = 0.3 if trouble.after else 5.0
        (failure,) = ask(server, chat_prompt(), timeout=timeout)
    assert isinstance(failure, Failure)
    assert failure.reason.startswith(reason.format(url=server.url))
    assert "\n" not in failure.reason


def test_an_unknown_model_is_told_and_not_asked_for_again():
    with serving(lambda _: error(404, "no model m")) as server:
        first, *others = ask(server, *map(chat_prompt, range(10)), parallel=1)
        assert len(server.requests) == 1
    assert first.reason == (
        f"{server.url} does not know model 'm', or is not a /v1 address (404: no model m): correct"
        " model or base_url in models/remote.toml"
    )
    assert {failure.reason for failure in others} == {f"not asked, because {first.reason}"}


def test_a_server_without_plain_completions_is_told_what_to_do():
    with serving(lambda _: error(404, "not found")) as server:
        (failure,) = ask(server, Prompt("q", "x"))
    assert failure.reason.endswith('a server without /completions needs prompt = "chat"')


def test_what_a_server_does_not_take_is_left_out():
    def reply(request):
        if "stream_options" in request:
            return error(400, "stream_options: unknown field")
        if "max_tokens" in request:
            return error(400, "use max_completion_tokens")
        return stream(["x"])

    with serving(reply) as server:
        answers = ask(server, *map(chat_prompt, range(3)), parallel=1)
        assert [a.text for a in answers] == ["x"] * 3
        assert len(server.requests) == 5


def test_a_server_that_cannot_be_used_is_told_at_the_start(monkeypatch):
    with pytest.raises(EngineStartError) as caught:
        open_engine(definition("http://127.0.0.1:9/v1"))
    assert str(caught.value) == (
        "http://127.0.0.1:9/v1 cannot be reached (it refuses the connection): start the server,"
        " or correct base_url in models/remote.toml"
    )
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(EngineStartError, match="OPENAI_API_KEY is not set"):
        open_engine(definition("https://api.example.com/v1"))
    with serving(lambda _: stream(["x"])) as server:  # here no key is needed
        assert ask(server, chat_prompt())[0].text == "x"
        assert server.keys == ["Bearer none"]


def test_an_address_or_proxy_that_cannot_be_is_told(monkeypatch):
    monkeypatch.setenv("RAQ_KEYS", "OPENAI_API_KEY=nowhere, OPENAI_API_KEY=api.example.com")
    with pytest.raises(EngineStartError, match="nowhere:port"):
        open_engine(definition("https://nowhere:port/v1"))
    monkeypatch.setenv("ALL_PROXY", "gopher://x")
    with pytest.raises(EngineStartError, match="the proxies of the environment"):
        open_engine(definition("https://api.example.com/v1"))


def test_a_password_in_the_address_is_not_shown():
    url = "http://user:passw0rd@127.0.0.1:9/v1?key=abc"
    with pytest.raises(EngineStartError) as caught:
        open_engine(definition(url))
    assert str(caught.value).startswith("http://127.0.0.1:9/v1 cannot be reached")


def test_the_key_is_in_no_answer_and_no_failure():
    with serving(lambda _: stream(["your key is ", KEY])) as server:
        (answer,) = ask(server, chat_prompt())
        assert answer.text == "your key is [key]"
        for said in (f"bad key {KEY}", "x" * 290 + KEY):
            server.reply = lambda _, said=said: error(500, said)
            (failure,) = ask(server, chat_prompt())
            assert KEY[:8] not in failure.reason


def test_an_engine_that_is_closed_while_it_answers_leaves_nobody_waiting():
    with serving(lambda _: stream(["x"])) as server:
        engine = open_engine(definition(server, parallel=2))
        outcomes = engine.answers(list(map(chat_prompt, range(6))))
        first = next(outcomes)
        engine.close()
        others = list(outcomes)
    assert isinstance(first, Answer)
    assert {item.question_id for item in [first, *others]} == {f"q{n}" for n in range(6)}
    assert {item.reason for item in others} == {"not asked, because the engine is closed"}


def test_a_closed_engine_fails_and_closes_twice():
    with serving(lambda _: stream(["x"])) as server:
        engine = open_engine(definition(server))
        engine.close()
        engine.close()
        (failure,) = engine.answers([chat_prompt()])
    assert failure.reason == "not asked, because the engine is closed"


def test_half_a_surrogate_pair_is_replaced_and_a_pair_in_two_pieces_joined():
    chunks = [
        {"choices": [{"delta": {"content": part}}]} for part in ("\ud83d", "\ude00 and \ud83d")
    ]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    reply = Response(body.encode(), headers={"Content-Type": "text/event-stream"})
    with serving(lambda _: reply) as server:
        (answer,) = ask(server, chat_prompt())
    assert answer.text == "😀 and \ufffd"


def counted(tokens):
    """Reply with a token for four characters of the prompt, at most so many."""

    def reply(request):
        size = len(request["messages"][0]["content"]) // 4
        response = chat("x")
        response.body["usage"]["prompt_tokens"] = min(tokens, size)
        return response

    return reply


def test_a_server_that_cuts_prompts_without_a_word_is_found_out():
    prompts = [Prompt(f"q{n}", "word " * (400 + 100 * n), chat=True) for n in range(12)]
    with serving(counted(1000)) as server:
        outcomes = ask(server, *prompts, parallel=1)
    assert [isinstance(item, Answer) for item in outcomes] == [True] * 7 + [False] * 5
    assert outcomes[-1].reason == (
        "the server cut the prompt: it counts 1,000 tokens for prompts of unlike length: raise"
        " its context length (num_ctx of Ollama)"
    )
    with serving(counted(10_000)) as server:
        assert all(isinstance(item, Answer) for item in ask(server, *prompts, *prompts))


@pytest.mark.parametrize(
    ("prompts", "cut"),
    [
        ([(4000, 1000), (5000, 1000), (6000, 1000)], [False, False, True]),
        ([(4000, 1000), (4100, 1000), (4200, 1000)], [False] * 3),
        ([(4000, 1000), (6000, 1001), (6000, 1000), (7000, 1000)], [False] * 4),
        ([(400, 100), (5000, 100), (6000, 100)], [False] * 3),
        ([(9000, 1000), (6000, 1000), (6000, 1000), (8000, 1000)], [False, False, False, True]),
    ],
)
def test_a_ceiling_is_the_largest_count_for_texts_of_unlike_length(prompts, cut):
    ceiling = CutPrompts()
    assert [ceiling.is_cut(*item) for item in prompts] == cut
