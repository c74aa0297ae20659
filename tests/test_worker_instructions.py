"""Instructions of an answer: counted by the kernel, or not at all."""

from __future__ import annotations

import math
import os
import sys

import pytest

from pytest_raq.engines.llamacpp.worker import instructions, main
from pytest_raq.engines.llamacpp.worker.instructions import Counter
from pytest_raq.records import Answer, FinishReason, Timing
from pytest_raq.speed.turns import value_of
from pytest_raq.store.codec import answer_from, answer_to_payload, parse_payload

_SOFTWARE, _PAGE_FAULTS = 1, 2
"""An event that the kernel counts without a counter in the processor."""


def test_a_counter_counts_or_says_nothing():
    counter = Counter((_SOFTWARE, _PAGE_FAULTS))
    before = counter.read()
    used = bytearray(8 * 2**20)
    used[:: 2**12] = b"x" * (len(used) >> 12)
    after = counter.read()
    counter.close()
    counter.close()
    assert counter.read() == 0
    if before == after == 0:
        pytest.skip("this kernel gives no counters: sysctl kernel.perf_event_paranoid=2")
    assert after > before  # how many pages that are is the kernel's choice


@pytest.mark.parametrize(("name", "value"), [("machine", "vax"), ("platform", "win32")])
def test_an_unknown_system_has_no_counter(monkeypatch, name, value):
    if name == "machine":
        monkeypatch.setattr(instructions.platform, "machine", lambda: value)
    else:
        monkeypatch.setattr(sys, name, value)
    assert Counter().read() == 0


def test_a_counter_that_is_taken_away_reads_zero():
    counter = Counter((_SOFTWARE, _PAGE_FAULTS))
    read, write = os.pipe()
    os.close(write)
    counter.close()
    counter._file = read
    assert counter.read() == 0
    counter.close()


class Block:
    is_done = False

    def step(self):
        self.is_done = True
        yield 7, {"type": "answer", "timing": {}}

    def close(self):
        pass


class Channel:
    def __init__(self):
        self.sent = []

    def is_over(self, _epoch):
        return False

    def send(self, **fields):
        self.sent.append(fields)


class Counts:
    def __init__(self):
        self.count = 0

    def read(self):
        self.count += 500
        return self.count


@pytest.mark.parametrize(("counter", "timing"), [(Counts(), {"instructions": 500}), (None, {})])
def test_instructions_are_those_of_a_question_alone(counter, timing):
    channel = Channel()
    main.finish_block(Block(), 1, channel, counter)
    assert channel.sent == [{"type": "answer", "timing": timing, "request": 7}]


def test_instructions_are_shown_by_token_and_kept():
    timing = Timing(prefilled_tokens=90, generated_tokens=11, instructions=1_000)
    answer = Answer("q", "m", "x", FinishReason.STOP, timing)
    assert value_of(answer, "instructions_per_token") == 10.0
    assert answer_from(parse_payload(answer_to_payload(answer)), "q", "m") == answer
    unknown = Answer("q", "m", "x", FinishReason.STOP, Timing())
    assert "instructions" not in answer_to_payload(unknown)
    assert math.isnan(value_of(unknown, "instructions_per_token"))
