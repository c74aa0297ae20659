"""The reasoning of a reply is told from its answer, for the forms that model families write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.records import Answer, FinishReason, Timing
from pytest_raq.records.answers import answer_from_reply
from pytest_raq.records.reasoning import (
    SPANS,
    UNFINISHED,
    Parts,
    opens_reasoning,
    split_reasoning,
)

THOUGHT = "The user asks. It is Paris."


@pytest.mark.parametrize(("opening", "closing"), SPANS)
@pytest.mark.parametrize("gap", ["", " ", "\n\n"])
def test_a_leading_block_of_any_family_is_reasoning(opening, closing, gap):
    start = "\n" if opening.endswith("thought") else ""
    text = f"{opening}{start}{THOUGHT}{closing}{gap}Paris"
    assert split_reasoning(text) == Parts(THOUGHT, "Paris")


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("<THINK>a</THINK>Paris", "a", "Paris"),
        ("  \n<think>\n\n</think>\n\nParis", "", "Paris"),
        ("<think>a</think>\n<think>b</think>\nParis", "a\n\nb", "Paris"),
        ("<think>a\n<think>b</think>\nc</think>\nParis", "a\n<think>b</think>\nc", "Paris"),
        ("<think>of the <think> tag</think>\nParis", "of the <think> tag", "Paris"),
        ("<think>a</think><answer>\nParis\n</answer>", "a", "Paris"),
        ("<think>a</think>\n<response>Paris</response>", "a", "Paris"),
        (
            (
                "<|begin_of_thought|>a<|end_of_thought|>\n\n"
                "<|begin_of_solution|>\n\nParis\n<|end_of_solution|>"
            ),
            "a",
            "Paris",
        ),
        (
            (
                "<|channel|>analysis<|message|>a<|end|><|start|>assistant"
                "<|channel|>final<|message|>Paris<|return|>"
            ),
            "a",
            "Paris",
        ),
        (
            (
                "<|start|>assistant<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>"
                "commentary<|message|>b<|end|><|start|>assistant<|channel|>final<|message|>Paris"
            ),
            "a\n\nb",
            "Paris",
        ),
        ("<|channel|>final <|constrain|>json<|message|>Paris", "", "Paris"),
        ("analysisThe user asks.assistantfinalParis", "The user asks.", "Paris"),
        ("Here is my thought process: a\n\nHere is my response: Paris", "a", "Paris"),
        (
            "Here are my reasoning steps:\na\n[BEGIN FINAL RESPONSE]\nParis\n[END FINAL RESPONSE]",
            "a",
            "Paris",
        ),
        ("<think>a</think>\n\nThe tag is `</think>`.", "a", "The tag is `</think>`."),
    ],
)
def test_the_forms_of_families(text, thought, answer):
    assert split_reasoning(text) == Parts(thought, answer)


@pytest.mark.parametrize(
    "text",
    [
        "Paris",
        "",
        "  Paris\n",
        "The <think> tag opens a thought and </think> ends it.",
        "`<think>` opens it.",
        "<think> and </think> are tags.",
        "<think> is the tag that opens it.",
        "<think>...</think> is how it is written",
        "It ends with </think>.",
        "It ends with `</think>`\nand goes on.",
        "The tag </think> closes it.",
        "</think> is the closing tag.",
        "analysis of the text",
        "Here is my thought process: I add them.",
        "Thoughts on <thinking>fast</thinking> and slow",
        "<b>Paris</b>",
    ],
)
def test_a_text_that_only_mentions_the_tags_stays_as_it_is(text):
    assert split_reasoning(text) == Parts("", text)


@pytest.mark.parametrize(
    ("text", "thought"),
    [
        ("<think>\nThe user", "The user"),
        ("<think>", ""),
        ("[THINK]The user", "The user"),
        ("<|channel|>analysis<|message|>The user", "The user"),
        ("<|channel>thought\nThe user", "The user"),
    ],
)
def test_a_block_that_never_ends_leaves_no_answer(text, thought):
    assert split_reasoning(text) == Parts(thought, "", is_open=True)


def test_a_phrase_opens_reasoning_only_if_it_ends_or_was_cut():
    text = "Here is my thought process: the user"
    assert split_reasoning(text, is_cut=True) == Parts("the user", "", is_open=True)
    assert split_reasoning(text) == Parts("", text)


@pytest.mark.parametrize(
    "text",
    [
        "It is Paris.\n</think>\n\nParis",
        "It is Paris.</think>Paris",
        "It is Paris.</think> Paris",
        "It is Paris.[/THINK]Paris",
        "It is Paris.</think>**Paris**",
    ],
)
def test_an_end_without_a_beginning_began_in_the_prompt(text):
    parts = split_reasoning(text)
    assert (parts.reasoning, parts.text.strip("*")) == ("It is Paris.", "Paris")


def test_a_prompt_that_opens_the_block_is_known():
    assert split_reasoning("hm </think> Paris", opened=True) == Parts("hm", "Paris")
    assert split_reasoning("<think>hm</think>Paris", opened=True) == Parts("hm", "Paris")
    assert split_reasoning("hm", opened=True) == Parts("hm", "", is_open=True)
    assert opens_reasoning("<|im_start|>assistant\n<think>\n")
    assert opens_reasoning("<|start|>assistant<|channel|>analysis<|message|>")
    assert not opens_reasoning("<|im_start|>assistant\n<think>\n\n</think>\n\n")


@given(st.text(max_size=40), st.text(alphabet="ab <>/think\n", max_size=40))
def test_what_was_split_is_not_split_again(thought, answer):
    first = split_reasoning(f"<think>{thought}</think>\n\n{answer}")
    if not first.is_open and first.text and "think" not in answer + thought:
        assert split_reasoning(first.text).text == first.text


def reply(text, *, reason=FinishReason.STOP, **given):
    timing = Timing(generated_tokens=9, reasoning_tokens=5, time_to_first_answer=1.0)
    return answer_from_reply("q", "m", text, reason, timing, **given)


def test_no_figure_of_an_answer_counts_its_reasoning():
    answer = reply(f"<think>{THOUGHT}</think>\n\nParis")
    assert (answer.text, answer.reasoning, answer.unfinished) == ("Paris", THOUGHT, False)
    assert (answer.words, answer.words_and_numbers, answer.judged_text) == (1, 1, "Paris")
    assert answer.timing.reasoning_tokens == 5


def test_an_answer_without_reasoning_has_no_times_of_it():
    answer = reply("Paris")
    assert (answer.timing.reasoning_tokens, answer.timing.time_to_first_answer) == (0, 0.0)
    assert answer == Answer("q", "m", "Paris", FinishReason.STOP, Timing(generated_tokens=9))


def test_an_unfinished_answer_is_not_an_empty_one():
    for answer in (
        reply("<think>The user"),
        reply("", reason=FinishReason.LENGTH, apart="The user"),
        reply("<think>The user</think>", reason=FinishReason.LENGTH),
    ):
        assert (answer.text, answer.unfinished, answer.judged_text) == ("", True, UNFINISHED)
    empty = reply("<think>Nothing says it.</think>")
    assert (empty.text, empty.unfinished, empty.judged_text) == ("", False, "")
