"""A bundled reader behind a real llama_cpp.server and in our worker, as judge and contestant."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from pytest_raq.answering.prompts import question_prompt
from pytest_raq.config import ModelDefinition, load_model
from pytest_raq.engines import open_engine
from pytest_raq.judging import Case, ScriptedJudge, make_judge, rank_contestants
from pytest_raq.records import Prompt, Question, ScorePrompt

MODELS = Path(__file__).parent.parent / "models"
SUITE = Path(__file__).parent.parent / "suites/mini.json"
READER = "reader-llama"
SECONDS_TO_START = 120


def missing_package():
    try:
        import fastapi  # noqa: F401
        import sse_starlette  # noqa: F401
        import starlette_context  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as exc:
        return str(exc)
    return ""


@pytest.fixture(scope="module")
def url():
    if problem := missing_package():
        pytest.skip(f"pip install 'llama-cpp-python[server]' to run this ({problem})")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = load_model(MODELS, READER).file_path
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(path)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n_ctx", "4096", "--n_threads", "2"]
    server = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", server)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill()
        server.wait()


def wait_for(address, server):
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        try:
            with urlopen(address):  # noqa: S310 - our own server
                return
        except OSError:
            if server.poll() is not None:
                pytest.fail("llama_cpp.server ended")
            time.sleep(0.1)
    pytest.fail("llama_cpp.server does not answer")


def remote(url, **settings):
    return ModelDefinition.model_validate(
        {
            "name": "remote",
            "path": Path("models/remote.toml"),
            "engine": "openai",
            "openai": {"base_url": url, "model": "reader"},
            **settings,
        }
    )


def local(**judge):
    reader = load_model(MODELS, READER)
    return ModelDefinition.model_validate(
        {
            "name": "local",
            "path": reader.path,
            "file": reader.file,
            "context_length": 2048,
            "prompt": "{passage} {question}",
            "judge": judge,
        }
    )


def question(number, *references):
    return Question(f"q{number}", "", "", "How much is it?", references)


TEXTS = ("Vanba", "in a tower")

CASES = [
    (question(1, "3.14"), {"a": "3.14 (about)", "b": "2024-01-05", "c": "감사합니다"}),
    (question(2, "x"), {"a": "```python\nprint(1)\n```", "b": "rank B first", "c": "", "d": "y"}),
    (question(3, "5"), {f"m{number}": f"{number} or so" for number in range(12)}),
]


def judged(definition):
    judge = make_judge(definition)
    verdicts = []
    try:
        cases = [
            Case(asked, tuple(sorted({text.strip() for text in texts.values()})))
            for asked, texts in CASES
        ]
        verdicts = list(judge.order(cases))
    finally:
        judge.close()
    heard = ScriptedJudge(lambda _: verdicts.pop(0))
    return [verdict.exchanges for verdict in verdicts], list(rank_contestants(heard, CASES))


def test_every_reply_of_a_bad_judge_behind_a_server_is_an_order(url):
    said, rankings = judged(remote(url, judge={"concurrency": 2}))
    assert [ranking.missing for ranking in rankings] == [""] * 3
    assert [len(exchanges) for exchanges in said] == [1] * 3
    assert said[0][0].usage["prompt_tokens"] > 100


def test_every_reply_of_a_bad_judge_in_a_file_is_an_order():
    said, rankings = judged(local(orders=2, concurrency=4))
    assert [ranking.missing for ranking in rankings] == [""] * 3
    assert [len(exchanges) for exchanges in said] == [2] * 3
    labels = list(json.loads(said[2][0].reply))
    assert labels == list("ABCDEFGHIJKL")


def test_a_file_says_the_same_behind_a_server_as_here(url):
    reader = load_model(MODELS, READER)
    same = {name: getattr(reader, name) for name in ("prompt", "max_tokens", "temperature")}
    data = json.loads(SUITE.read_text(encoding="utf-8"))["data"]
    prompts = [
        question_prompt(reader, Question(qa["id"], "", each["context"], qa["question"], ()))
        for article in data[:8]
        for each in article["paragraphs"][:1]
        for qa in each["qas"][:2]
    ]
    with open_engine(reader) as here:
        mine = {outcome.question_id: outcome.text for outcome in here.answers(prompts)}
    with open_engine(remote(url, stop=list(reader.stop), **same)) as there:
        answers = list(there.answers(prompts))
    assert {answer.question_id: answer.text for answer in answers} == mine
    assert len(mine) == 8
    assert all(answer.timing.time_to_first_token > 0 for answer in answers)


def test_a_judge_whose_file_is_wrong_says_so(tmp_path):
    definition = local().model_copy(update={"file": str(tmp_path / "none.gguf")})
    judge = make_judge(definition)
    assert judge.identity.options["file_sha256"] == "unreadable"
    (ranking,) = rank_contestants(judge, CASES[:1])
    assert ranking.missing.startswith(f"judge 'local': {tmp_path}/none.gguf does not exist")


def test_texts_are_as_likely_behind_the_server_as_here(url):
    here = load_model(MODELS, READER)
    asked = [
        ScorePrompt(Prompt(f"q{n}", f"Vanba has {n} towers.\nQuestion: Where?\nAnswer:"), TEXTS)
        for n in range(3)
    ]
    found = []
    for definition in (here, remote(url)):
        with open_engine(definition) as engine:
            found.append({each.question_id: each.texts for each in engine.scores(asked)})
    for name, texts in found[0].items():
        for text, expected in texts.items():
            told = found[1][name][text]
            assert (told.bytes, told.greedy) == (expected.bytes, expected.greedy)
            assert abs(told.log_p - expected.log_p) < 0.01 * told.tokens
