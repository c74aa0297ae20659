"""A judge's reply is a complete weak order of the labels, or it is nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_raq.errors import JudgeError
from pytest_raq.judging.llm.prompt import label, make_schema
from pytest_raq.judging.llm.replies import read_reply

ABC = ["A", "B", "C"]


def fault(reply, labels=ABC):
    with pytest.raises(JudgeError) as caught:
        read_reply(reply, labels)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        '{"A": 2, "B": 1, "C": 2}',
        '{"C": 3, "B": 1, "A": 3}',
        '{"A": 2.0, "B": 1.0, "C": 2}',
        '[["B"], ["A", "C"]]',
        '["B", ["A", "C"]]',
        '{"ranking": [["B"], ["A", "C"]]}',
        '{"ranks": {"A": 2, "B": 1, "C": 2}}',
        '```json\n{"A": 2, "B": 1, "C": 2}\n```',
        '<think>A is best, no: {"A": 1}</think>\n{"A": 2, "B": 1, "C": 2}',
        'so the ranks are clear</think>{"A": 2, "B": 1, "C": 2}',
        ' \n{"A" : 2,\n"B":1 , "C":2}\n ',
    ],
)
def test_a_complete_order_is_read(reply):
    assert read_reply(reply, ABC) == (("B",), ("A", "C"))


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("", "the reply is empty"),
        ("<think>I wonder whether", "the reply is empty"),
        ("B is best, then A and C.", "the reply is not only JSON (B is best, then A and C.)"),
        (
            'Here you are: {"A": 1, "B": 2, "C": 3}',
            'the reply is not only JSON (Here you are: {"A": 1, "B": 2, "C": 3})',
        ),
        ('{"A": 1, "B": 2}', 'the reply names "C" not at all'),
        ('{"A": 1, "B": 2, "C": 3, "D": 4}', 'the reply names "D", which is not a label'),
        ('{"A": 1, "A": 2, "B": 1, "C": 1}', 'the reply names "A" 2 times'),
        ('[["A"], ["B"], ["A", "C"]]', 'the reply names "A" 2 times'),
        ('[["A"], [], ["B", "C"]]', "the reply has an empty tier"),
        ('[["A", ["B"]], "C"]', 'the reply names ["B"], which is not a label'),
        ('{"A": 0, "B": 1, "C": 2}', "the rank of A is 0, not a whole number from 1 to 3"),
        ('{"A": 4, "B": 1, "C": 2}', "the rank of A is 4, not a whole number from 1 to 3"),
        ('{"A": 1.5, "B": 1, "C": 2}', "the rank of A is 1.5, not a whole number from 1 to 3"),
        ('{"A": true, "B": 1, "C": 2}', "the rank of A is true, not a whole number from 1 to 3"),
        ('{"A": NaN, "B": 1, "C": 2}', "the rank of A is NaN, not a whole number from 1 to 3"),
        ('{"A": 1e999, "B": 1, "C": 2}', "the rank of A is Infinity, not a whole number from 1 to"),
        ('{"A": null, "B": 1, "C": 2}', "the rank of A is null, not a whole number from 1 to 3"),
        ('{"a": 1, "b": 2, "c": 3}', 'the reply names "a", which is not a label'),
        ('"A"', 'the reply has neither ranks nor tiers ("A")'),
        ("NaN", "the reply has neither ranks nor tiers (NaN)"),
        ("[" * 100_000, "the reply is not only JSON"),
        ("x" * 100_001, "the reply is too long: 100,001 characters"),
        ("\x1b[31mred\x00", "the reply is not only JSON ([31mred)"),
    ],
)
def test_anything_else_is_told_and_is_no_rank(reply, message):
    assert fault(reply).startswith(message)


@settings(deadline=None, max_examples=60)
@given(st.text() | st.from_regex(r'[\[\]{}"ABC:, 0-9]*', fullmatch=True))
def test_whatever_is_said_nothing_but_a_judge_error_is_raised(reply):
    try:
        tiers = read_reply(reply, ABC)
    except JudgeError:
        return
    assert sorted(name for tier in tiers for name in tier) == ABC


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 60).flatmap(lambda n: st.lists(st.integers(1, n), min_size=n, max_size=n)))
def test_all_that_fits_the_schema_is_a_complete_order(ranks):
    labels = [label(index) for index in range(len(ranks))]
    schema = json.loads(make_schema(len(ranks)))
    assert schema["required"] == labels == list(schema["properties"])
    reply = json.dumps(dict(zip(labels, ranks, strict=True)))
    tiers = read_reply(reply, labels)
    assert sorted(name for tier in tiers for name in tier) == sorted(labels)
    assert len(tiers) == len(set(ranks))
