"""Parameters that a server refuses: left out once it has said so, with a note."""

from __future__ import annotations

import json
from pathlib import Path

import openai._base_client
import pytest
from openai_server import Response, chat, error, rank_by, serving, stream
from refusals import REFUSALS, refusing

from pytest_raq.config import ModelDefinition
from pytest_raq.engines import open_engine
from pytest_raq.engines.openai_compat.failures import Problem
from pytest_raq.engines.openai_compat.parameters import Parameters, named_in, tell_left_out
from pytest_raq.judging import Case, make_judge
from pytest_raq.records import Answer, FinishReason, Prompt, Question


@pytest.fixture(autouse=True)
def short_delays(monkeypatch):
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.01)


def definition(server, *, openai=None, **settings):
    return ModelDefinition.model_validate(
        {
            "name": "remote",
            "path": Path("models/remote.toml"),
            "engine": "openai",
            "timeout": 5.0,
            "openai": {"base_url": server.url, "model": "m", "max_retries": 1, **(openai or {})},
            **settings,
        }
    )


def ask(server, count, **settings):
    prompts = [Prompt(f"q{n}", f"what is {n}?", chat=True) for n in range(count)]
    with open_engine(definition(server, **settings)) as engine:
        return list(engine.answers(prompts)), engine.info


@pytest.mark.parametrize("words", REFUSALS.values(), ids=REFUSALS.keys())
@pytest.mark.parametrize("names", [("temperature", "stop"), ("seed", "top_k", "stream_options")])
def test_what_a_server_refuses_in_its_own_words_is_left_out(words, names):
    with serving(refusing(words, names, lambda _: stream(["x\ny"]))) as server:
        outcomes, info = ask(
            server, 6, stop=["\n"], parallel=3, openai={"extra_body": {"top_k": 1}}
        )
        assert [item.text for item in outcomes] == ["x"] * 6
        assert info.left_out == tuple(sorted(names))
        # Each of the requests that were under way meets each refusal once, at most.
        assert len(server.requests) <= 6 + 3 * len(names)
        before = len(server.requests)
        _, info = ask(server, 2, stop=["\n"], parallel=2, openai={"extra_body": {"top_k": 1}})
        assert len(server.requests) == before + 2  # known of the server, not of the engine
        assert info.left_out == tuple(sorted(names))


def test_a_hosted_reasoning_model_is_asked_without_temperature_and_stop():
    def reply(request):
        if "max_tokens" in request:
            return Response(
                {
                    "error": {
                        "message": "Unsupported parameter: 'max_tokens' is not supported with this"
                        " model. Use 'max_completion_tokens' instead.",
                        "param": "max_tokens",
                        "code": "unsupported_parameter",
                    }
                },
                400,
            )
        if request.get("temperature", 1) != 1:
            return REFUSALS["OpenAI, of a value"]("temperature")
        return REFUSALS["OpenAI"]("stop") if "stop" in request else stream(["Pa", "ris", "\nQ"])

    with serving(reply) as server:
        outcomes, info = ask(server, 1, stop=["\n"], max_tokens=7)
        assert len(server.requests) == 4
        assert server.requests[-1]["max_completion_tokens"] == 7
    (answer,) = outcomes
    assert (answer.text, answer.finish_reason) == ("Paris", FinishReason.STOP)
    assert info.left_out == ("stop", "temperature")
    assert tell_left_out(info.left_out, temperature=0) == (
        "the server refuses stop and temperature, so they are not sent; answers are cut at the"
        " stop texts here; its answers are drawn at random and may change from run to run, without"
        " any change of the model"
    )


@pytest.mark.parametrize(
    ("left_out", "temperature", "is_random"),
    [
        (["temperature"], 0, True),
        (["seed"], 0, False),
        (["seed"], 0.7, True),
        (["stop"], 0.7, False),
        (["top_k"], 0, False),
    ],
)
def test_the_note_says_whether_answers_become_random(left_out, temperature, is_random):
    told = tell_left_out(left_out, temperature=temperature)
    assert told.startswith(f"the server refuses {left_out[0]}, so it is not sent")
    assert ("at random" in told) == is_random
    assert tell_left_out([], temperature=temperature) == ""


@pytest.mark.parametrize(
    ("said", "parameter", "code"),
    [
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 64. Its maximum context is 128",
            "max_tokens",
            "",
        ),
        ("This model's maximum context length is 8 tokens. Reduce the messages", "messages", ""),
        ("Requested tokens (5000) exceed context window of 4096; see seed", "", ""),
        ("the request is invalid: temperature", "temperature", "context_length_exceeded"),
        ("request (9 tokens) exceeds the available context size, stop", "", ""),
        ("prompt is too long: 200001 tokens > 200000 maximum; temperature", "", ""),
    ],
)
def test_a_server_without_room_for_the_prompt_refuses_no_parameter(said, parameter, code):
    problem = Problem("x", status=400, said=said, parameter=parameter, code=code)
    assert named_in(problem) == ([], False)
    sent = dict.fromkeys(("messages", "model", "temperature", "max_tokens", "seed", "stop"), 0)
    assert not Parameters().learn(problem, sent)


@pytest.mark.parametrize(
    "said",
    [
        "max_tokens is too large: 100000. This model supports at most 16384 completion tokens",
        "max_tokens must be at least 16",
        "The messages must not be empty",
        "the image has a temperature of 12 degrees",
        "model 'm' does not support chat",
    ],
)
def test_other_refusals_are_reported_and_nothing_is_left_out(said):
    with serving(lambda _: error(400, said)) as server:
        (failure,), info = ask(server, 1, stop=["\n"])
        assert len(server.requests) == 1
    assert failure.reason == f"{server.url} refuses the request (400: {said})"
    assert info.left_out is None


def test_a_parameter_that_was_not_the_cause_comes_back():
    """The words of a refusal may be those of the question."""
    with serving(lambda _: error(400, "unsupported content: 'stop the temperature'")) as server:
        outcomes, info = ask(server, 3, stop=["\n"], parallel=1)
        assert not any(isinstance(item, Answer) for item in outcomes)
        assert len(server.requests) < 9
        server.reply = lambda _: stream(["x"])
        outcomes, info = ask(server, 1, stop=["\n"])
        assert info.left_out == ()
        assert server.requests[-1]["temperature"] == 0.0


def test_trying_ends_where_everything_is_refused():
    def reply(request):
        name = next((each for each in request if each not in {"model", "messages"}), "model")
        return REFUSALS["Azure"](name)

    with serving(reply) as server:
        outcomes, _ = ask(server, 4, stop=["\n"], parallel=2)
        assert len(server.requests) < 4 * 9
    assert {item.reason for item in outcomes} == {
        f"{server.url} refuses the request (400: Unrecognized request argument supplied: stream)"
    }


def test_a_token_limit_without_another_name_is_left_out_at_last():
    names = ("max_tokens", "max_completion_tokens")
    with serving(refusing(REFUSALS["Azure"], names, lambda _: stream(["x"]))) as server:
        outcomes, info = ask(server, 1)
    assert [item.text for item in outcomes] == ["x"]
    assert info.left_out == ("max_completion_tokens",)


def test_a_reply_is_cut_at_a_stop_text_across_pieces_and_counts_what_is_kept():
    parts = ["Par", "is\nQues", "tion: next", "?"]
    with serving(lambda _: stream(parts)) as server:  # it ignores stop, and counts 7 tokens
        ((answer,), _) = ask(server, 1, stop=["\nQuestion:"])
    assert (answer.text, answer.words, answer.finish_reason) == ("Paris", 1, FinishReason.STOP)
    assert (answer.timing.generated_tokens, answer.timing.is_estimate) == (4, True)
    tokens = ["a ", "b ", "c", "\n", "d ", "e", "f"]
    with serving(lambda _: stream(tokens)) as server:  # a token is a piece
        ((answer,), _) = ask(server, 1, stop=["\n"])
    assert (answer.timing.generated_tokens, answer.timing.is_estimate) == (3, False)
    with serving(lambda _: chat("abcde\nabcd")) as server:  # 10 tokens, and no pieces
        ((answer,), _) = ask(server, 1, stop=["\n"])
    assert (answer.text, answer.timing.generated_tokens) == ("abcde", 5)
    assert answer.timing.is_estimate


@pytest.mark.parametrize("words", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_judge_is_asked_without_what_its_server_refuses(words):
    names = ("temperature", "seed")
    case = Case(Question("q", "", "", "Where?", ("Paris",)), ("Paris", "Lyon"))
    with serving(refusing(words, names, rank_by(len))) as server:
        judge = make_judge(definition(server))
        before = judge.identity
        assert judge.note == ""
        (order,) = judge.order([case])
        judge.close()
    assert order.tiers == ((1,), (0,))  # Lyon is shorter
    assert judge.note == (
        "the server refuses seed and temperature, so they are not sent; its rankings are drawn at"
        " random and may change from run to run, without any change of the model"
    )
    assert judge.identity.options["left_out"] == "seed, temperature"
    assert judge.identity.chosen == before.chosen  # no other judge: stored rankings are used


def test_a_judge_whose_server_refuses_something_only_later_is_asked_again():
    refused = []

    def reply(request):
        if refused and "temperature" in request:
            return REFUSALS["OpenAI"]("temperature")
        return rank_by(len)(request)

    case = Case(Question("q", "", "", "Where?", ("Paris",)), ("Paris", "Lyon"))
    with serving(reply) as server:
        judge = make_judge(definition(server))
        judge.prepare()
        refused.append(True)
        (order,) = judge.order([case])
        judge.close()
    assert order.tiers == ((1,), (0,))  # Lyon is shorter
    assert "the server refuses temperature" in judge.note


def test_a_form_that_a_judge_needs_is_never_left_out():
    def reply(request):
        if "response_format" in request:
            return REFUSALS["OpenAI"]("response_format")
        return rank_by(len)(request)

    with serving(reply) as server:
        judge = make_judge(definition(server))
        judge.prepare()
        judge.close()
        assert "tools" in server.requests[-1]
    assert judge.note == ""


def test_what_is_added_to_requests_is_sent_and_no_secret_is_shown(monkeypatch):
    monkeypatch.setenv("AZURE_KEY", "secret-of-azure")
    added = {
        "extra_body": {"top_k": 3, "provider": {"order": ["a"]}},
        "headers": {"X-Title": "raq"},
        "headers_env": {"api-key": "AZURE_KEY"},
        "query": {"api-version": "2024-10-21"},
        "reasoning_effort": "low",
    }
    with serving(lambda _: stream(["your key is secret-of-azure"])) as server:
        ((answer,), _) = ask(server, 1, openai=added)
        (request,), (headers,) = server.requests, server.headers
        assert server.paths == ["/v1/chat/completions?api-version=2024-10-21"]
        server.reply = lambda _: error(500, "bad key secret-of-azure")
        ((failure,), _) = ask(server, 1, openai=added)
    assert (request["top_k"], request["provider"]) == (3, {"order": ["a"]})
    assert request["reasoning_effort"] == "low"
    assert (headers["x-title"], headers["api-key"]) == ("raq", "secret-of-azure")
    assert "authorization" not in headers
    assert answer.text == "your key is [key]"
    assert "secret" not in failure.reason
    shown = json.dumps(definition(server, openai=added).openai.request_options)
    assert "secret" not in shown
    assert "AZURE" not in shown
