"""Answers and scores of one prefill: the answers are those without, the scores those alone."""

from __future__ import annotations

import itertools

import llama_cpp
import pytest
from gguf_files import define
from test_engine_crashes import fake_python
from test_likelihood_engine import ASKED, load, run

from pytest_raq.engines import open_engine
from pytest_raq.engines.llamacpp import LlamaCppEngine
from pytest_raq.engines.llamacpp.worker import block as worker_block
from pytest_raq.engines.llamacpp.worker.block import Block
from pytest_raq.engines.llamacpp.worker.questions import QuestionError
from pytest_raq.engines.llamacpp.worker.streams import StreamBlock
from pytest_raq.records import Answer, Failure, Prompt, ScorePrompt, Scores

PROMPTS = [each.prompt for each in ASKED]
TEXTS = [each.continuations for each in ASKED]
NOISE = 0.02
"""Nats a token: what the usual kernels change for random weights, in one batch or another."""


def answer(model, texts=None, *, prompts=PROMPTS, max_tokens=12, limit=20):
    """Answer prompts as one block; return answers, scores, and the logits of each token chosen."""
    orders = [
        {
            "request": n, "text": prompt.text, "chat": False, "max_tokens": max_tokens,
            "temperature": 0, "seed": 0, "stop": (), "beside": texts[n] if texts else None,
        }
        for n, prompt in enumerate(prompts)
    ]  # fmt: skip
    kind = StreamBlock if model.reproducible else Block
    block, rows = kind(model, list(map(model.question, orders)), limit), []
    choose = block._choose

    def noting(reading, place):
        rows.append((reading.question.request, hash(model.logits.row(place))))
        return choose(reading, place)

    block._choose = noting
    answers, scores = {}, {}
    while not block.is_done:
        for request, reply in block.step():
            (answers if reply["type"] == "answer" else scores)[request] = reply
    assert len(block._free) == model.sequences
    return answers, scores, rows


def texts_of(answers):
    return {n: (each["text"], each["finish_reason"]) for n, each in answers.items()}


@pytest.mark.parametrize("arch", ["llama", "gemma"])
@pytest.mark.parametrize("reproducible", [False, True])
def test_no_bit_of_an_answer_depends_on_what_is_scored_beside_it(tiny_gguf, arch, reproducible):
    path = tiny_gguf(arch=arch, tokenizer="gpt2" if arch == "llama" else "llama")
    model = load(path, reproducible=reproducible, parallel=3)
    answers, none, rows = answer(model, limit=3)
    assert none == {} and not any(each["scored"] for each in answers.values())
    beside, scores, same = answer(model, TEXTS, limit=3)
    assert all(each["scored"] for each in beside.values())
    assert (texts_of(beside), same) == (texts_of(answers), rows)
    alone = [
        ScorePrompt(prompt, (*texts, beside[n]["text"]))
        for n, (prompt, texts) in enumerate(zip(PROMPTS, TEXTS, strict=True))
    ]
    expected, _ = run(load(path, reproducible=reproducible), alone)
    for n, figures in enumerate(expected):
        own = [{key: each[key] for key in each if key != "text"} for each in scores[n]["answer"]]
        assert [each["text"] for each in scores[n]["answer"]] == [beside[n]["text"]]
        found = [*scores[n]["scores"], *own]
        if reproducible:
            assert found == figures
        for one, two in zip(found, figures, strict=True):
            assert abs(one.get("log_p", 0) - two.get("log_p", 0)) <= NOISE * two["tokens"]
            assert {**one, "log_p": 0} == {**two, "log_p": 0}


def test_many_and_long_texts_are_scored_beside_in_few_rows(tiny_gguf, monkeypatch):
    model = load(tiny_gguf())
    many = (*(f"answer number {n}" for n in range(50)), "abcdefghijk" * 20, "x" * 150)
    prompts = [Prompt("a", "what is it?"), Prompt("b", "who is it then?")]
    (whole, _), _ = run(model, [ScorePrompt(prompt, many) for prompt in prompts])
    size = 4 * 16 * model.vocabulary.size
    monkeypatch.setattr("pytest_raq.engines.llamacpp.worker.beside._BYTES_OF_LOGITS", size)
    sizes, evaluate = [], model.side.evaluate
    noting = lambda: (sizes.append(model.side.batch.size), evaluate())  # noqa: E731
    monkeypatch.setattr(model.side, "evaluate", noting)
    _, scores, _ = answer(model, [many, many[:1]], prompts=prompts)
    found = scores[0]["scores"]
    for one, two in zip(found, whole, strict=True):
        assert one["tokens"] == two["tokens"]
        assert abs(one["log_p"] - two["log_p"]) <= NOISE * two["tokens"]
    assert max(sizes) == 16
    assert scores[1]["scores"][0]["log_p"] != found[0]["log_p"]


def test_an_answer_that_is_one_of_the_texts_or_empty_is_not_scored_twice(tiny_gguf):
    model = load(tiny_gguf(recites="a bcdef"))
    prompts = [Prompt("q", "say a"), Prompt("e", "say f")]
    answers, scores, _ = answer(model, [("bcdef", "x"), ("x",)], prompts=prompts)
    assert [each["text"] for each in answers.values()] == ["", "bcdef"]
    assert [len(scores[n]["scores"]) for n in range(2)] == [2, 1]
    assert [each["answer"] for each in scores.values()] == [[], []]


@pytest.mark.parametrize("reason", ["window", "recurrent", "hybrid", "older library", "memory"])
def test_a_model_whose_prompt_is_gone_at_the_end_of_an_answer_is_scored_alone(
    tiny_gguf, monkeypatch, reason
):
    model = load(tiny_gguf())
    if reason == "window":
        length = max(len(model.vocabulary.prompt_tokens(each.text, chat=False)) for each in PROMPTS)
        monkeypatch.setattr(llama_cpp, "llama_model_n_swa", lambda _model: length + 12)
        answers, scores, _ = answer(model, TEXTS)
        assert len(scores) == len(answers)  # it is not yet
        monkeypatch.setattr(llama_cpp, "llama_model_n_swa", lambda _model: 20)
    elif reason == "older library":
        monkeypatch.delattr(llama_cpp, "llama_model_n_swa")
    elif reason == "memory":
        monkeypatch.setattr(model, "_open_context", lambda *_: None)
    else:
        monkeypatch.setattr(llama_cpp, f"llama_model_is_{reason}", lambda _model: True)
    answers, scores, _ = answer(model, TEXTS)
    assert len(answers) == len(PROMPTS)
    assert scores == {} and not any(each["scored"] for each in answers.values())


@pytest.mark.parametrize("fault", [QuestionError("no slot"), MemoryError("no slot")])
def test_what_goes_wrong_beside_costs_no_answer(tiny_gguf, monkeypatch, fault):
    model = load(tiny_gguf())
    expected, _, rows = answer(model)

    def fail(*_):
        raise fault

    monkeypatch.setattr(Block, "read_on", staticmethod(fail))
    answers, scores, same = answer(model, TEXTS)
    assert (texts_of(answers), same) == (texts_of(expected), rows)
    assert list(scores.values()) == [{"type": "scores", "scores": None, "reason": "no slot"}] * 11


def test_texts_without_numbers_are_left_to_who_scores_them_alone(tiny_gguf, monkeypatch):
    model = load(tiny_gguf())
    expected, _, rows = answer(model)
    broken = lambda _row, tokens: ([float("nan")] * len(tokens), 0)  # noqa: E731
    with monkeypatch.context() as patch:
        patch.setattr("pytest_raq.engines.llamacpp.worker.beside.log_p_in", broken)
        answers, scores, same = answer(model, TEXTS)
    assert (texts_of(answers), same) == (texts_of(expected), rows)
    reason = worker_block.NO_NUMBERS
    assert list(scores.values()) == [{"type": "scores", "scores": None, "reason": reason}] * 11
    _, scores, _ = answer(model, TEXTS)
    assert all(each["scores"] for each in scores.values())


def test_the_time_of_scoring_is_no_time_of_an_answer(tiny_gguf, monkeypatch):
    model = load(tiny_gguf())
    ticks = itertools.count()
    monkeypatch.setattr(worker_block.time, "perf_counter", lambda: float(next(ticks)))
    prompts = [Prompt("short", "who?"), Prompt("long", "w" * 400), Prompt("last", "x" * 300)]

    def times(texts, **options):
        answers, _, _ = answer(model, texts, prompts=prompts, max_tokens=1, **options)
        return {n: each["timing"]["time_to_first_token"] for n, each in answers.items()}

    plain = times(None)

    def slow(*_):
        for _ in range(1000):
            next(ticks)

    monkeypatch.setattr(Block, "read_on", staticmethod(slow))
    monkeypatch.setattr(worker_block, "is_broken", lambda _: True)
    assert max(times([("ab",)] * 3).values()) < max(plain.values()) + 100


def answers_in(outcomes):
    return {each.question_id: each.text for each in outcomes if isinstance(each, Answer)}


def test_an_engine_yields_scores_after_answers_and_the_same_answers(tiny_gguf):
    with open_engine(define(tiny_gguf(), max_tokens=8, context_length=512)) as engine:
        plain = list(engine.answers(PROMPTS))
        beside = [Prompt(p.question_id, p.text, beside=t) for p, t in zip(PROMPTS, TEXTS, strict=1)]
        found = list(engine.answers_and_scores([*beside[:-1], PROMPTS[-1]]))
        assert answers_in(engine.answers(beside)) == answers_in(plain)
        logged = engine._worker._process.last_log_line()
    said = answers_in(found)
    assert said == answers_in(plain)
    scores = {o.question_id: o for o in found if isinstance(o, Scores)}
    assert sorted(scores) == sorted(prompt.question_id for prompt in PROMPTS[:-1])
    for n, prompt in enumerate(PROMPTS[:-1]):
        known = {*scores[prompt.question_id].texts, *scores[prompt.question_id].problems}
        assert known == {*TEXTS[n], said[prompt.question_id]}
        places = [i for i, o in enumerate(found) if o.question_id == prompt.question_id]
        assert isinstance(found[places[0]], Answer) and len(places) == 2
    assert logged == ""


FAKE_WORKER = """
import json, os, sys, time
input(); print('{"type":"loaded","build":"1","quantization":"","parameters":1,'
               '"chat_template_sha256":""}', flush=True)
timing = dict(prompt_tokens=1, prefilled_tokens=1, generated_tokens=1, time_to_first_token=1,
              prefill_seconds=1, decode_seconds=0, total_seconds=1)
def send(**reply):
    print(json.dumps(reply), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if order["type"] != "block":
        continue
    with open("ORDERS", "a") as file:
        print(*(q["text"] + str(q["beside"] is not None)[0] for q in order["questions"]), file=file)
    for q in order["questions"]:
        scored = q["beside"] is not None
        send(type="answer", request=q["request"], text="fine", finish_reason="stop",
             timing=timing, scored=scored)
        if scored:
            MISBEHAVE
            figures = dict(log_p=-1.5, tokens=1, bytes=1, greedy="1")
            send(type="scores", request=q["request"], scores=[figures for _ in q["beside"]],
                 answer=[dict(text="fine", **figures)])
"""


@pytest.mark.parametrize(
    "fault",
    [
        "os.abort()",
        "time.sleep(60)",
        "print('nonsense', flush=True)",
        "send(type='scores', request=q['request'], scores=[])",
        "send(type='lost', epoch=order['epoch'], reason='no room'); break",
    ],
)
def test_scores_that_end_the_worker_cost_no_answer(tiny_gguf, tmp_path, fault):
    orders = tmp_path / "orders"
    misbehave = f"if q['text'] == 'q2':\n                {fault}"
    body = FAKE_WORKER.replace("ORDERS", str(orders)).replace("MISBEHAVE", misbehave)
    asked = [Prompt(f"q{n}", f"q{n}", block=n // 2, beside=("x",)) for n in range(1, 6)]
    definition = define(tiny_gguf(), timeout=1.0)
    with LlamaCppEngine(definition, fake_python(tmp_path, body)) as engine:
        found = list(engine.answers_and_scores(asked))
    assert not [o for o in found if isinstance(o, Failure)]
    assert [o.question_id for o in found if isinstance(o, Answer)] == ["q1", "q2", "q3", "q4", "q5"]
    (first,) = [o for o in found if isinstance(o, Scores)]
    assert first.question_id == "q1" and set(first.texts) == {"x", "fine"}
    # The block once more without scores, and no more scores beside answers after it.
    lines = orders.read_text().splitlines()
    assert lines[:2] == ["q1T", "q2T q3T"]
    assert lines[-2:] == ["q2F q3F", "q4F q5F"]
