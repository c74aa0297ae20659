from __future__ import annotations

import os
import signal
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest
from gguf_files import define
from processes import wait_for_death

from pytest_raq.engines.llamacpp import LlamaCppEngine
from pytest_raq.engines.llamacpp import worker_client as conversation
from pytest_raq.engines.llamacpp.engine_build import pip_install
from pytest_raq.errors import EngineStartError
from pytest_raq.records import Answer, Failure, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOADED = '{"type":"loaded","build":"1","quantization":"","parameters":1,"chat_template_sha256":""}'


def signal_soon(pid: int, number: int, seconds: float = 0.2) -> None:
    timer = threading.Timer(seconds, os.kill, (pid, number))
    timer.daemon = True
    timer.start()


def prompts(*question_ids: str) -> list[Prompt]:
    return [Prompt(name, f"{name}:") for name in question_ids]


def fake_python(tmp_path: Path, body: str) -> Path:
    """Write an interpreter that ignores the worker and does ``body`` instead."""
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(body)}", encoding="utf-8")
    path.chmod(0o755)
    return path


FAKE_WORKER = """
import json, os, sys, time
input(); print('''LOADED''', flush=True)
timing = dict(prompt_tokens=1, prefilled_tokens=1, generated_tokens=1, time_to_first_token=1,
              prefill_seconds=1, decode_seconds=0, total_seconds=1)
for line in sys.stdin:
    order = json.loads(line)
    if order["type"] != "block":
        continue
    with open("ORDERS", "a") as file:
        print(*(question["text"][:-1] for question in order["questions"]), file=file)
    for question in order["questions"]:
        MISBEHAVE
        print(json.dumps(dict(type="answer", request=question["request"], text="fine",
                              finish_reason="stop", timing=timing)), flush=True)
""".replace("LOADED", LOADED)
"""Answers every question; ``misbehave`` may do something else at a question."""


@pytest.fixture
def misbehaving(tiny_gguf, tmp_path):
    """Make an engine whose worker does something at each question, and tell what it was asked."""
    orders = tmp_path / "orders"

    def make(misbehave: str, **options: object) -> tuple[LlamaCppEngine, Callable[[], list[str]]]:
        body = FAKE_WORKER.replace("ORDERS", str(orders)).replace("MISBEHAVE", misbehave)
        python = fake_python(tmp_path, body)
        made = LlamaCppEngine(define(tiny_gguf(), **options), python)
        return made, lambda: orders.read_text(encoding="utf-8").splitlines()

    return make


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (signal.SIGKILL, "was killed by SIGKILL (was memory short?)"),
        (signal.SIGABRT, "was killed by SIGABRT"),
        (signal.SIGSEGV, "was killed by SIGSEGV"),
    ],
)
def test_a_question_that_kills_the_worker_fails_and_the_others_go_on(misbehaving, number, told):
    engine, orders = misbehaving(
        f"if question['text'] == 'q2:': "
        f"print('out of luck', file=sys.stderr); os.kill(os.getpid(), {int(number)})"
    )
    with engine:
        outcomes = {o.question_id: o for o in engine.answers(prompts("q1", "q2", "q3", "q4"))}
    reason = f"the llama.cpp worker {told} at question 'q2'; it logged last: out of luck"
    assert outcomes.pop("q2") == Failure("q2", "tiny", reason)
    assert [outcome.text for outcome in outcomes.values()] == ["fine"] * 3
    # Together, together once more, then those without an answer one by one.
    assert orders() == ["q1 q2 q3 q4", "q1 q2 q3 q4", "q2", "q3", "q4"]


def test_a_worker_killed_from_outside_costs_no_answer_and_changes_none(misbehaving, tmp_path):
    engine, orders = misbehaving(
        f"if question['text'] == 'q2:' and not os.path.exists('{tmp_path}/killed'): "
        f"open('{tmp_path}/killed', 'w'); os.abort()"
    )
    with engine:
        outcomes = list(engine.answers(prompts("q1", "q2", "q3")))
    assert [(o.question_id, o.text) for o in outcomes] == [
        ("q1", "fine"), ("q2", "fine"), ("q3", "fine")
    ]  # fmt: skip
    assert orders() == ["q1 q2 q3", "q1 q2 q3"]


def test_a_question_that_hangs_is_asked_once_more_alone(misbehaving):
    engine, orders = misbehaving("time.sleep(60 * (question['text'] == 'q1:'))", timeout=0.4)
    with engine:
        outcomes = {o.question_id: o for o in engine.answers(prompts("q1", "q2"))}
    assert outcomes["q1"].reason == (
        "the llama.cpp worker gave no sign of life for 0.4 s (timeout) at question 'q1';"
        " it logged nothing"
    )
    assert outcomes["q2"].text == "fine"
    assert orders() == ["q1 q2", "q1", "q2"]


def test_a_model_that_fails_at_every_question_is_given_up(misbehaving):
    engine, orders = misbehaving("os.abort()")
    with engine:
        outcomes = list(engine.answers(prompts(*(f"q{n}" for n in range(6)))))
        later = list(engine.answers(prompts("q9")))
    told = [outcome.reason for outcome in outcomes]
    assert (
        told[2] == "the llama.cpp worker was killed by SIGABRT at question 'q2'; it logged nothing"
    )
    ended = (
        "not asked, because the llama.cpp worker was killed by SIGABRT"
        " at each of 3 questions that were asked alone"
    )
    assert told[3:] == [ended] * 3
    assert [outcome.reason for outcome in later] == [ended]
    assert len(orders()) == 5


def test_a_worker_that_does_not_start_again_is_told(misbehaving, tmp_path):
    engine, _ = misbehaving("os.abort()")
    (tmp_path / "python").write_text("#!/bin/sh\nexit 7\n", encoding="utf-8")
    with engine:
        first, second = engine.answers(prompts("q1", "q2"))
    assert first.reason.startswith(
        "not asked, because the llama.cpp worker was killed by SIGABRT and does not start again: "
    )
    assert "ended with exit code 7 while it loaded the model" in first.reason
    assert second.reason == first.reason


def test_a_block_that_is_lost_is_asked_question_by_question(misbehaving):
    engine, orders = misbehaving(
        "if question['text'] == 'q2:': "
        "print(json.dumps(dict(type='lost', epoch=order['epoch'], reason='no idea')), flush=True);"
        " break"
    )
    with engine:
        outcomes = {o.question_id: o for o in engine.answers(prompts("q1", "q2", "q3"))}
    assert outcomes["q2"] == Failure("q2", "tiny", "no idea")
    assert [outcomes["q1"].text, outcomes["q3"].text] == ["fine", "fine"]
    assert orders() == ["q1 q2 q3", "q2", "q3"]


def test_the_next_block_is_sent_ahead_and_again_to_a_new_worker(misbehaving):
    engine, orders = misbehaving("if question['text'] == 'q1:': os.abort()")
    asked = [Prompt(f"q{n}", f"q{n}:", block=n // 2) for n in range(4)]
    with engine:
        outcomes = {o.question_id: o for o in engine.answers(asked)}
    assert isinstance(outcomes.pop("q1"), Failure)
    assert len(outcomes) == 3
    assert orders() == ["q0 q1", "q0 q1", "q1", "q2 q3"]


def test_a_worker_killed_between_questions_is_replaced(tiny_gguf):
    with LlamaCppEngine(define(tiny_gguf(), max_tokens=1)) as engine:
        asked = [Prompt("q1", "q1:"), Prompt("q2", "q2:", block=1), Prompt("q3", "q3:", block=2)]
        outcomes = engine.answers(asked)
        assert isinstance(next(outcomes), Answer)
        os.kill(engine.worker_pid, signal.SIGKILL)
        assert [type(outcome) for outcome in outcomes] == [Answer, Answer]


@pytest.mark.parametrize("size", [10, 300_000])
def test_a_hung_worker_is_killed_after_the_timeout(tiny_gguf, size):
    with LlamaCppEngine(define(tiny_gguf(), timeout=0.5)) as engine:
        stopped = engine.worker_pid
        os.kill(stopped, signal.SIGSTOP)
        # Asked again, alone, of a new worker, it has its answer.
        (outcome,) = engine.answers([Prompt("q1", "x" * size)])
        assert outcome.question_id == "q1"
        assert engine.worker_pid != stopped
        wait_for_death(stopped)


def test_a_slow_worker_is_not_taken_for_a_hung_one(tiny_gguf, tmp_path):
    body = f"""
        import time
        input(); print('''{LOADED}''', flush=True)
        input()
        for _ in range(15):
            time.sleep(0.1); print('{{"type":"alive"}}', flush=True)
        print('{{"type":"error","request":1,"reason":"no idea"}}', flush=True)
        input()
    """
    with LlamaCppEngine(define(tiny_gguf(), timeout=1.0), fake_python(tmp_path, body)) as engine:
        assert list(engine.answers(prompts("q1"))) == [
            Failure("q1", "tiny", "no idea", is_infrastructure=False)
        ]


def test_an_interrupted_question_does_not_answer_the_next(tiny_gguf):
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    definition = define(tiny_gguf(recites=":ab:"), context_length=4096, max_tokens=1500)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with LlamaCppEngine(definition) as engine:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            with pytest.raises(KeyboardInterrupt):
                list(engine.answers(prompts("q1")))
            (outcome,) = engine.answers([Prompt("q2", "x" * 20 + ":")])
    finally:
        signal.signal(signal.SIGALRM, before)
    assert outcome.question_id == "q2"
    assert outcome.timing.prompt_tokens == 22


@pytest.mark.parametrize(
    ("garbage", "told"),
    [
        ("hello \x1b[31mred\x1b[0m", "wrote 'hello red', which is not a reply"),
        ("[1]", "wrote '[1]', which is not a reply"),
        ("[" * 100_000, "which is not a reply"),
        ('{"type":"answer"}', "wrote an incomplete reply ({'type': 'answer'})"),
        ('{"type":"answer","request":1,"text":"x"}', "wrote an incomplete reply"),
        (
            '{"type":"answer","request":1,"text":"x","finish_reason":"stop","timing":7}',
            "wrote an incomplete reply",
        ),
    ],
)
def test_garbage_on_the_pipe_is_told(tiny_gguf, tmp_path, garbage, told):
    body = f"""
        input(); print('''{LOADED}''', flush=True)
        input(); print({garbage!r}, flush=True)
        input()
    """
    with LlamaCppEngine(define(tiny_gguf()), fake_python(tmp_path, body)) as engine:
        (outcome,) = engine.answers(prompts("q1"))
    assert told in outcome.reason
    assert "\x1b" not in outcome.reason


def test_the_last_log_line_is_quoted_without_control_characters(tiny_gguf, tmp_path):
    body = f"""
        import sys
        input(); print('''{LOADED}''', flush=True)
        input(); print("a line\\n\\x1b[1mGGML_ASSERT(\\x07x) failed\\n\\n", file=sys.stderr)
        sys.exit(3)
    """
    with LlamaCppEngine(define(tiny_gguf()), fake_python(tmp_path, body)) as engine:
        (outcome,) = engine.answers(prompts("q1"))
    assert outcome.reason == (
        "the llama.cpp worker ended with exit code 3 at question 'q1'; "
        "it logged last: GGML_ASSERT( x) failed"
    )


def test_a_worker_that_dies_while_loading(tiny_gguf, tmp_path):
    body = "import os, sys; print('out of luck', file=sys.stderr, flush=True); os.abort()"
    path = tiny_gguf()
    with pytest.raises(EngineStartError) as caught:
        LlamaCppEngine(define(path), fake_python(tmp_path, body))
    assert str(caught.value).startswith(
        f"{path}: the llama.cpp worker was killed by SIGABRT (out of luck) while it loaded the"
        " model, also with extra buffer types off: check the file and the free memory; "
    )


def test_a_worker_that_hangs_while_loading(tiny_gguf, tmp_path, monkeypatch):
    monkeypatch.setattr(conversation, "_START_SILENCE", 0.3)
    with pytest.raises(EngineStartError, match=r"gave no sign of life for 0\.3 s"):
        LlamaCppEngine(define(tiny_gguf(), timeout=0.1), fake_python(tmp_path, "input(); input()"))


def test_an_environment_without_llama_cpp(tiny_gguf, tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    with pytest.raises(EngineStartError) as caught:
        LlamaCppEngine(define(tiny_gguf()), python)
    assert str(caught.value).startswith("llama.cpp cannot be imported (")
    assert str(caught.value).endswith(
        "No module named 'llama_cpp'): " + pip_install("'pytest-raq[llama]'")
    )


def test_an_interpreter_that_does_not_exist(tiny_gguf, tmp_path):
    with pytest.raises(EngineStartError) as caught:
        LlamaCppEngine(define(tiny_gguf()), tmp_path / "nowhere")
    assert str(caught.value) == (
        f"{tmp_path}/nowhere cannot be started: No such file or directory: "
        "name the python of an environment with llama-cpp-python"
    )


def test_a_worker_that_starts_again_while_the_engine_is_closed_does_not_stay(
    misbehaving, monkeypatch
):
    engine, _ = misbehaving("os.abort()")
    started = []
    again = engine._converse

    def closed_meanwhile():
        engine.close()
        started.append(again())
        return started[-1]

    monkeypatch.setattr(engine, "_converse", closed_meanwhile)
    (outcome,) = engine.answers(prompts("q1"))
    assert outcome.reason == "not asked, because the engine is closed"
    (worker,) = started
    wait_for_death(worker.pid)


def test_half_a_surrogate_pair_of_a_worker_is_replaced(tiny_gguf, tmp_path):
    worker = FAKE_WORKER.replace("ORDERS", str(tmp_path / "orders")).replace("MISBEHAVE", "pass")
    body = worker.replace('"fine"', 'chr(0xd800) + "x"')
    with LlamaCppEngine(define(tiny_gguf()), fake_python(tmp_path, body)) as engine:
        (outcome,) = engine.answers(prompts("q1"))
    assert outcome.text == "\ufffdx"
