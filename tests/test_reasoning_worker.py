"""Reasoning under llama.cpp: followed token by token, with a budget of its own."""

from __future__ import annotations

from itertools import pairwise

import pytest
from gguf_files import define, write_tiny_gguf
from hypothesis import given
from hypothesis import strategies as st
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from pytest_raq.engines import open_engine
from pytest_raq.engines.llamacpp.rendering import render_prompt
from pytest_raq.engines.llamacpp.worker.chat_template import ChatTemplate
from pytest_raq.engines.llamacpp.worker.thoughts import ReasonedText, closing_of, lower_spans
from pytest_raq.records import Answer, FinishReason, Prompt
from pytest_raq.records.reasoning import WORKER_SPANS, split_reasoning

SPANS = lower_spans(WORKER_SPANS)

QWEN = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content"
    " + '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\\n' }}{%- if enable_thinking is defined and enable_thinking is"
    " false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)
DEEPSEEK = (
    "{{ bos_token }}{% for message in messages %}<|User|>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|Assistant|><think>\n{% endif %}"
)
GPT_OSS = (
    "<|start|>system<|message|>Reasoning: {{ reasoning_effort or 'medium' }}<|end|>"
    "{% for message in messages %}<|start|>{{ message.role }}<|message|>{{ message.content }}"
    "<|end|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
RECITED = "\nQ. </think>PARIS"
"""What the tiny model says behind a template that opens a block: no byte occurs twice."""
OPENING = (
    "{% for message in messages %}{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}{% if enable_thinking is defined and not enable_thinking %}"
    "{{ '<think></think>' }}{% else %}{{ '<think>' }}{% endif %}{{ '\\n' }}{% endif %}"
)


def pieces(text, cuts):
    data = text.encode()
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(edges)]


def follow(parts, *, stop=(), closing=None):
    """Return the text, and how many parts were reasoning, up to a stop string."""
    text, thought = ReasonedText(stop, SPANS, closing), 0
    for count, part in enumerate(parts, 1):
        ended = text.add_token(part)
        thought = count if text.is_thinking else thought
        if ended:
            break
    return text.text(), thought


@given(
    st.sampled_from(["<think>a b\n</think>", "[THINK]a[/THINK]", "<seed:think>a</seed:think>\n\n"]),
    st.lists(st.integers(0, 99), max_size=12),
)
def test_any_cut_into_tokens_gives_the_same_answer(block, cuts):
    text, _ = follow(pieces(f"{block}Paris, France", cuts), stop=[","])
    assert split_reasoning(text).text == "Paris"


def test_stop_strings_end_the_answer_and_not_the_reasoning():
    parts = [b"<think>", b"\n", b"one\ntwo", b"\n</think>", b"\n\n", b"Pa", b"ris", b"\n", b"more"]
    text, thought = follow(parts, stop=["\n"])
    assert (text, thought) == ("<think>\none\ntwo\n</think>\n\nParis", 5)


def test_an_answer_without_reasoning_ends_as_it_always_did():
    assert follow([b"\n", b"Paris"], stop=["\n"]) == ("", 0)
    assert follow([b"<", b"b>", b"Paris", b"\n"], stop=["\n"]) == ("<b>Paris", 0)
    assert follow([b"The <think>", b" tag"]) == ("The <think> tag", 0)


def test_tokens_that_are_not_shown_open_and_close_a_block():
    text = ReasonedText(["."], SPANS)
    for piece, mark in [
        (b"", b"<|channel|>"), (b"analysis", b""), (b"", b"<|message|>"), (b"Hm.", b""),
        (b"", b"<|end|>"), (b"", b"<|start|>"), (b"assistant", b""), (b"", b"<|channel|>"),
        (b"final", b""), (b"", b"<|message|>"), (b"Paris", b""), (b"", b"<|end|>"),
    ]:  # fmt: skip
        assert not text.add_token(piece, mark)
    assert not text.is_thinking
    assert split_reasoning(text.text()).text == "Paris"
    assert split_reasoning(text.text()).reasoning == "Hm."


def test_a_final_channel_alone_opens_nothing():
    text, _ = follow([b"<|channel|>", b"final", b"<|message|>", b"Paris", b"."], stop=["."])
    assert split_reasoning(text).text == "Paris"


def test_a_second_block_is_reasoning_too():
    text, thought = follow([b"<think>a</think>", b"\n", b"<thi", b"nk>b</think>", b"Paris"])
    assert (split_reasoning(text).reasoning, thought) == ("a\n\nb", 4)


@pytest.mark.parametrize(
    ("source", "variables", "closing"),
    [
        (QWEN, {}, None),
        (QWEN, {"enable_thinking": False}, None),
        (DEEPSEEK, {}, b"</think>"),
        (GPT_OSS, {}, None),
    ],
)
def test_a_template_says_whether_the_prompt_opens_a_block(source, variables, closing):
    template = ChatTemplate(Jinja2ChatFormatter, source, "<s>", "</s>", variables=variables)
    assert closing_of(template.end, SPANS) == closing
    hostile = "".join(template.pieces([("user", "What is <think>")], []))
    assert closing_of(template.end, SPANS) == closing
    assert hostile.endswith(template.end)


def test_variables_reach_the_template():
    def rendered(source, **variables):
        template = ChatTemplate(Jinja2ChatFormatter, source, "", "", variables=variables)
        return "".join(template.pieces([("user", "Hi")], []))

    assert rendered(QWEN, enable_thinking=False).endswith("assistant\n<think>\n\n</think>\n\n")
    assert rendered(QWEN, enable_thinking=True).endswith("assistant\n")
    assert "Reasoning: low" in rendered(GPT_OSS, reasoning_effort="low")
    assert "Reasoning: medium" in rendered(GPT_OSS)


@pytest.fixture(scope="module")
def thinker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("thinker")
    return write_tiny_gguf(folder / "thinker.gguf", chat_template=OPENING, recites=RECITED)


def ask(path, *prompts, **options):
    given_prompts = prompts or (Prompt("q", "Capital?", chat=True),)
    with open_engine(define(path, prompt="chat", **options)) as engine:
        return list(engine.answers(given_prompts))


@pytest.mark.parametrize("reproducible", [False, True])
def test_an_answer_has_its_reasoning_apart_and_its_times(thinker, reproducible):
    (answer,) = ask(thinker, max_tokens=40, reproducible=reproducible)
    assert isinstance(answer, Answer)
    assert (answer.text, answer.reasoning, answer.finish_reason) == (
        "PARIS",
        "Q.",
        FinishReason.STOP,
    )
    timing = answer.timing
    assert (timing.reasoning_tokens, timing.generated_tokens) == (len("Q. </think>"), 17)
    assert 0 < timing.time_to_first_token < timing.time_to_first_answer <= timing.total_seconds
    assert 0 < timing.reasoning_seconds < timing.decode_seconds


def test_the_answer_has_all_its_tokens_behind_the_reasoning(thinker):
    (shared,) = ask(thinker, max_tokens=13)
    assert (shared.text, shared.finish_reason) == ("PA", FinishReason.LENGTH)
    (apart,) = ask(thinker, max_tokens=3, max_reasoning_tokens=20)
    assert (apart.text, apart.reasoning, apart.timing.generated_tokens) == ("PAR", "Q.", 14)
    (cut,) = ask(thinker, max_tokens=3, max_reasoning_tokens=5)
    assert (cut.text, cut.reasoning, cut.unfinished) == ("", "Q. </", True)
    assert (cut.finish_reason, cut.timing.reasoning_tokens) == (FinishReason.LENGTH, 5)
    assert cut.timing.time_to_first_answer == 0.0


def test_a_stop_string_inside_the_reasoning_ends_nothing(thinker):
    (answer,) = ask(thinker, max_tokens=40, stop=(".", "R"))
    assert (answer.text, answer.reasoning) == ("PA", "Q.")


def test_reasoning_can_be_kept_and_switched_off(thinker):
    (kept,) = ask(thinker, max_tokens=40, reasoning="keep")
    assert (kept.text, kept.reasoning, kept.timing.reasoning_tokens) == ("Q. </think>PARIS", "", 0)
    definition = define(thinker, prompt="chat", reasoning="off")
    assert render_prompt(definition, Prompt("q", "x", chat=True)).text == "x<think></think>\n"
    chosen = define(thinker, prompt="chat", template={"enable_thinking": False})
    assert render_prompt(chosen, Prompt("q", "x", chat=True)).text == "x<think></think>\n"


def test_a_reply_under_a_grammar_has_no_reasoning(thinker):
    prompt = Prompt("q", "x", chat=True, schema='{"enum": ["PARIS"]}', max_tokens=12)
    (answer,) = ask(thinker, prompt, max_reasoning_tokens=5)
    assert answer.text.startswith('"')
    assert not answer.unfinished


def test_a_plain_prompt_may_open_the_block(thinker):
    definition = define(thinker, prompt="{question}<think>\n", max_tokens=40)
    with open_engine(definition) as engine:
        (answer,) = engine.answers([Prompt("q", "x<think>\n")])
    assert (answer.text, answer.reasoning) == ("PARIS", "Q.")
