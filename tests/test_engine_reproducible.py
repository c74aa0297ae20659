"""A reproducible model gives the same bits whatever is computed beside."""

from __future__ import annotations

from functools import partial
from operator import itemgetter

import pytest
from environments import make_environment
from gguf_files import WIDE, define, quantize
from hypothesis import given
from hypothesis import strategies as st
from logit_traces import load, trace

from pytest_raq.engines import open_engine
from pytest_raq.engines.llamacpp import LlamaCppEngine
from pytest_raq.engines.llamacpp.instruction_sets import arithmetic_of
from pytest_raq.engines.llamacpp.reproducible import notes
from pytest_raq.engines.llamacpp.worker import cache
from pytest_raq.engines.llamacpp.worker.cache import stream_layouts
from pytest_raq.engines.llamacpp.worker.prefix import LEAST_SHARED, share_prefixes
from pytest_raq.engines.llamacpp.worker.questions import LoadError
from pytest_raq.engines.llamacpp.worker.self_test import self_test
from pytest_raq.errors import EngineStartError
from pytest_raq.records import Prompt

KINDS = ("F32", "F16", "BF16", "Q8_0", "Q5_0", "Q4_0")
PASSAGES = ("the river runs through ten lands " * 4, "in the end an answer is an answer " * 3)
PROMPTS = [
    *(Prompt(f"q{n}", f"{PASSAGES[n % 2]}{'why ' * (n % 5)}who is {n}?") for n in range(20)),
    Prompt("short", "x"),
    Prompt("long", "one after the other, " * 30),
    Prompt("twin", "an equal question"),
    Prompt("other twin", "an equal question"),
]


@pytest.fixture(scope="module")
def made(tiny_gguf):
    """Make a tiny file of a quantization, each once."""
    files = {}

    def make(kind):
        source = tiny_gguf(width=WIDE) if "K" in kind else tiny_gguf()
        if kind not in files:
            files[kind] = source if kind == "F32" else quantize(source, kind)
        return files[kind]

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_the_same_alone_and_in_every_batch(made, kind):
    model = load(made(kind), parallel=32)
    together, texts = trace(model, PROMPTS, 32)
    assert set(together) == {prompt.question_id for prompt in PROMPTS}
    for parallel in (1, 2, 5):
        assert trace(model, PROMPTS, parallel) == (together, texts)
    for mixed in (PROMPTS[::-1], PROMPTS[1::3] + PROMPTS[2::3] + PROMPTS[::3]):
        assert trace(model, mixed, 7) == (together, texts)
    for prompt in PROMPTS:
        assert trace(model, [prompt], 1)[0][prompt.question_id] == together[prompt.question_id]


def test_logits_do_not_depend_on_threads_or_on_how_many_sequences_there_are(made):
    path = made("F16")
    expected = trace(load(path, parallel=1), PROMPTS, 1)
    for threads in (1, 2):
        assert trace(load(path, parallel=9, threads=threads), PROMPTS, 9) == expected


def test_the_usual_schedule_gives_other_bits_in_other_batches(made):
    # What the tests above would find if nothing were done about it.
    model = load(made("F32"), reproducible=False)
    assert trace(model, PROMPTS, 1)[0] != trace(model, PROMPTS, 16)[0]


@given(
    st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), max_size=12), st.integers(1, 4)
)
def test_no_prompt_is_left_with_fewer_tokens_of_its_own_than_kernels_want(prompts, own):
    pieces = share_prefixes(prompts, 1, own)
    for piece in pieces:
        if piece.prompt is not None:
            assert len(piece.tokens) >= min(own, len(prompts[piece.prompt]))
            before = piece.parent
            tokens = piece.tokens
            while before is not None:
                tokens, before = before.tokens + tokens, before.parent
            assert tokens == prompts[piece.prompt]


def test_a_batch_is_a_piece_of_one_prompt_or_a_token_of_each_answer(tiny_gguf, monkeypatch):
    model = load(tiny_gguf(), parallel=3)
    batches = []
    evaluate = model.evaluate

    def record():
        batch, rows = model.batch.raw, range(model.batch.size)
        batches.append([(batch.seq_id[i][0], batch.pos[i]) for i in rows])
        evaluate()

    monkeypatch.setattr(model, "evaluate", record)
    trace(model, PROMPTS, 3)
    for batch in batches:
        sequences = [sequence for sequence, _ in batch]
        if len(set(sequences)) == 1:
            assert len(batch) >= model.least or batch[0][1] == 0  # a whole prompt of a token
        else:
            assert sequences == list(range(max(model.least, len(batch))))
    assert max(map(len, batches)) > LEAST_SHARED


def test_a_prompt_longer_than_a_batch_leaves_no_single_token(tiny_gguf):
    model = load(tiny_gguf())
    for count in (512, 513, 514, 1000):
        text = "a" * (count - 1)  # and a token at the start
        prompt = Prompt("q", text)
        assert len(model.vocabulary.prompt_tokens(text, chat=False)) == count
        assert trace(model, [prompt, *PROMPTS[:3]], 4)[0]["q"] == trace(model, [prompt], 1)[0]["q"]


@pytest.mark.parametrize("kind", ["F32", "Q8_0", "Q4_K_M"])
def test_answers_do_not_depend_on_parallel_threads_order_or_company(made, kind):
    def answers(prompts, **options):
        with open_engine(define(made(kind), max_tokens=12, reproducible=True, **options)) as engine:
            assert engine.info.reproducible == "verified"
            return sorted((o.question_id, o.text) for o in engine.answers(prompts))

    expected = answers(PROMPTS, parallel=1)
    assert len(set(map(itemgetter(1), expected))) > 1
    for parallel, threads in ((4, 1), (16, 2), (32, 1)):
        assert answers(PROMPTS, parallel=parallel, threads=threads) == expected
    assert answers(PROMPTS[::-1], parallel=4) == expected
    few = {prompt.question_id for prompt in PROMPTS[3:9]}
    assert answers(PROMPTS[3:9], parallel=16) == [item for item in expected if item[0] in few]


def test_sampled_answers_do_not_depend_on_company_either(tiny_gguf):
    def answers(prompts, parallel):
        options = {"temperature": 1.5, "seed": 3, "max_tokens": 12, "reproducible": True}
        with open_engine(define(tiny_gguf(), parallel=parallel, **options)) as engine:
            return {o.question_id: o.text for o in engine.answers(prompts)}

    expected = answers(PROMPTS, 1)
    assert answers(PROMPTS[::-1], 16) == expected
    assert answers(PROMPTS[5:6], 4) == {"q5": expected["q5"]}
    assert expected["twin"] == expected["other twin"]


def test_what_is_shared_is_evaluated_once_and_copied(tiny_gguf):
    with open_engine(define(tiny_gguf(), max_tokens=2, reproducible=True)) as engine:
        outcomes = {o.question_id: o for o in engine.answers(PROMPTS[:8])}
    read = sum(outcome.timing.prefilled_tokens for outcome in outcomes.values())
    whole = sum(outcome.timing.prompt_tokens for outcome in outcomes.values())
    assert read < whole / 2


def test_without_it_nothing_is_said_of_it(tiny_gguf):
    with open_engine(define(tiny_gguf())) as engine:
        assert (engine.info.reproducible, engine.info.instruction_set) == ("", "")


def test_the_instruction_set_is_told(tiny_gguf):
    with open_engine(define(tiny_gguf(), reproducible=True)) as engine:
        assert engine.info.instruction_set == arithmetic_of() != ""
        assert engine.info.extra_buffers
        assert engine.info.note == ""


LOGITS = """
_batch, _copied = [], []
_decode = llama_decode
def llama_decode(context, batch):
    _batch[:] = [batch]
    return _decode(context, batch)

_copy = llama_memory_seq_cp
def llama_memory_seq_cp(*arguments):
    _copied.append(1)
    return _copy(*arguments)

_clear = llama_memory_clear
def llama_memory_clear(*arguments):
    _copied.clear()
    return _clear(*arguments)

_logits = llama_get_logits_ith
def llama_get_logits_ith(context, place):
    found, batch = _logits(context, place), _batch[0]
    if CONDITION:
        found[0] += 0.0001
    return found
"""
"""A llama.cpp whose last bits depend on something."""


@pytest.fixture
def differing(tmp_path):
    """Make an environment whose llama.cpp gives other bits when a condition holds."""

    def make(condition):
        patch = LOGITS.replace("CONDITION", condition)
        return make_environment(tmp_path / "other", patch=patch) / "bin/python"

    return make


@pytest.mark.parametrize(
    ("condition", "found", "told"),
    [
        (
            "batch.n_tokens > 2 and batch.logits[0]",
            "among others",
            "computed among other sequences",
        ),
        ("batch.pos[0] and 50 < batch.n_tokens", "cut", "evaluated in pieces"),
        ("_copied", "copied", "copied to another sequence"),
        (
            "batch.n_tokens > 2 and batch.pos[0]",
            "among others, cut, copied",
            "computed among other sequences and evaluated in pieces and copied to another sequence",
        ),
    ],
)
def test_kernels_that_differ_are_found_when_a_model_is_loaded(
    differing, tiny_gguf, condition, found, told
):
    definition = define(tiny_gguf(), reproducible=True)
    with LlamaCppEngine(definition, differing(condition)) as engine:
        assert engine.info.reproducible == f"not verified: {found}"
        assert engine.info.note == (
            f"not reproducible: the self-test found other bits for a prompt {told}; answers may"
            " depend on parallel, on threads and on the questions beside them, so they are not"
            " stored: try another llama-cpp-python"
        )


def test_a_llama_cpp_that_differs_is_of_no_interest_where_nobody_asks(differing, tiny_gguf):
    with LlamaCppEngine(define(tiny_gguf()), differing("batch.n_tokens > 2")) as engine:
        assert (engine.info.reproducible, engine.info.note) == ("", "")


def test_the_self_test_finds_the_kernels_of_a_shared_cache(tiny_gguf, monkeypatch):
    model = load(tiny_gguf())
    assert self_test(model) == []
    monkeypatch.setattr(model, "fill_up", lambda: None)  # a token alone: another kernel
    assert self_test(model) == ["among others"]


def layouts(monkeypatch, gigabytes, parallel, limit=1000):
    monkeypatch.setattr(cache, "memory_bytes", lambda: int(gigabytes * 1e9))
    monkeypatch.setattr(cache, "least_rows", lambda: 2)
    found = stream_layouts(limit, parallel, bytes_of_a_cell=100_000)
    return [(each.sequences, each.cells, each.parallel, each.lenders) for each in found]


def test_there_are_as_many_streams_as_memory_affords(monkeypatch):
    # 102.4 MB a stream of 1,024 tokens, and an eighth of the memory.
    tried = partial(layouts, monkeypatch)
    assert tried(128, 16)[0] == (19, 19 * 1024, 16, 3)
    assert tried(8, 16) == [(9, 9 * 1024, 6, 3), (6, 6 * 1024, 3, 3), (2, 2 * 1024, 1, 0)]
    assert tried(2, 16) == tried(128, 1) == [(2, 2048, 1, 0)]


def test_memory_without_room_for_one_is_told_before_anything_is_loaded(monkeypatch, tiny_gguf):
    with pytest.raises(LoadError, match=r"^0\.2 GB of memory have no room for the 0\.1 GB"):
        layouts(monkeypatch, 0.2, 4)
    definition = define(tiny_gguf(), reproducible=True, context_length=2_000_000_000)
    with pytest.raises(EngineStartError) as told:
        open_engine(definition)
    message = str(told.value)
    assert "\n" not in message
    assert message.startswith(f"{tiny_gguf()}: ")
    assert "GB of memory have no room for the 512.0 GB that a sequence takes" in message
    assert message.endswith(f"for context_length 2000000000: lower it in {definition.path}")


def test_a_model_runs_in_the_streams_that_memory_affords_and_says_so(tmp_path, tiny_gguf):
    # 256 bytes a token, 262,144 bytes a stream; an eighth of 10.5 MB holds five.
    small = """
import os
_sysconf = os.sysconf
os.sysconf = lambda name: 2560 if name == "SC_PHYS_PAGES" else _sysconf(name)
"""
    python = make_environment(tmp_path / "small", patch=small) / "bin/python"
    definition = define(tiny_gguf(), max_tokens=8, reproducible=True)
    with LlamaCppEngine(definition) as engine:
        expected = {o.question_id: o.text for o in engine.answers(PROMPTS)}
    with LlamaCppEngine(definition, python) as engine:
        assert engine.info.note == (
            "memory has room for 2 of 16 sequences: the answers are the same, only slower; a"
            " smaller context_length makes room for more"
        )
        assert {o.question_id: o.text for o in engine.answers(PROMPTS)} == expected


def test_two_notes_are_told_one_after_the_other():
    assert len(list(notes(["cut"], wanted=16, parallel=4))) == 2
    assert list(notes([], wanted=16, parallel=16)) == []
