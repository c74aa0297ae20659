from __future__ import annotations

import json
import multiprocessing
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.records import Answer, Failure, FinishReason, Timing
from pytest_raq.records.plain import outcome_from
from pytest_raq.running.workers import SharedWork, WorkerExchange

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_raq.records import Outcome

KEY = ("model", "suite")


def answer(name: str, text: str = "said") -> Answer:
    return Answer(name, "model", text, FinishReason.STOP, Timing(3, 2, 1, 0.1, 0.2, 0.3, 0.4))


@dataclass
class Pretended:
    """Answers of one model that are found out by writing them down."""

    sharing: SharedWork
    sharing_key: tuple[str, str] = KEY
    file_bytes: int = 1
    planned: tuple[str, ...] = ("a", "b", "c")
    known: dict[str, Outcome] = field(default_factory=dict)
    worked: int = 0

    @property
    def is_complete(self) -> bool:
        return set(self.planned) <= self.known.keys()

    def absorb(self, outcomes: Iterable[Outcome]) -> None:
        self.known |= {outcome.question_id: outcome for outcome in outcomes}

    def answer_plan(self) -> None:
        self.worked += 1
        for name in self.planned:
            if name not in self.known:
                self.known[name] = answer(name)
                self.sharing.put(self, self.known[name])


def process(folder: Path, budget: int = 10) -> SharedWork:
    return SharedWork(WorkerExchange(folder), budget)


def pretend(sharing: SharedWork, **options: object) -> Pretended:
    made = Pretended(sharing, **options)
    sharing.register(made)
    return made


@given(st.text(), st.text(), st.sampled_from(FinishReason))
def test_an_outcome_survives_the_exchange(tmp_path_factory, name, text, reason):
    folder = tmp_path_factory.mktemp("exchange")
    left = [Answer(name, "m", text, reason, Timing(1, 1)), Failure(name, "m", text)]
    for outcome in left:
        WorkerExchange(folder).put(KEY, outcome)
    reader = WorkerExchange(folder)
    assert list(reader.read(KEY)) == left
    assert list(reader.read(KEY)) == []
    assert list(WorkerExchange(folder).read(("m", "other"))) == []


def test_half_a_line_of_a_process_that_was_killed_is_left_for_later(tmp_path):
    exchange = WorkerExchange(tmp_path)
    exchange.put(KEY, answer("a"))
    exchange.put(KEY, answer("b"))
    path = next(tmp_path.glob("*.jsonl"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    reader = WorkerExchange(tmp_path)
    assert [outcome.question_id for outcome in reader.read(KEY)] == ["a"]
    path.write_bytes(whole)
    assert [outcome.question_id for outcome in reader.read(KEY)] == ["b"]


def test_who_comes_second_takes_over_what_the_first_found_out(tmp_path):
    first, second = process(tmp_path), process(tmp_path)
    one, two = pretend(first), pretend(second)
    first.obtain(one)
    second.obtain(two)
    assert (one.worked, two.worked) == (1, 0)
    assert one.known == two.known


def test_what_a_killed_process_left_is_not_asked_again(tmp_path):
    killed = process(tmp_path)
    killed.put(pretend(killed), answer("b", "from the killed one"))
    other = process(tmp_path)
    answers = pretend(other)
    other.obtain(answers)
    assert answers.known["b"].text == "from the killed one"
    assert answers.worked == 1


def test_who_finds_a_model_taken_works_on_another_one_meanwhile(tmp_path):
    first, second = process(tmp_path), process(tmp_path)
    taken, free = pretend(second), pretend(second, sharing_key=("other", "suite"))
    pretend(first, known={name: answer(name) for name in "abc"})
    with first.exchange.lock("model model") as held:
        assert held
        waiting = threading.Thread(target=second.obtain, args=(taken,))
        waiting.start()
        for _ in range(200):
            if free.worked:
                break
            waiting.join(0.05)
        assert (taken.worked, free.worked) == (0, 1)
        for name in "abc":
            first.exchange.put(KEY, answer(name, "by the first"))
        waiting.join(10)
    assert taken.worked == 0
    assert {outcome.text for outcome in taken.known.values()} == {"by the first"}


def test_all_suites_of_a_model_are_answered_while_it_is_loaded(tmp_path):
    sharing = process(tmp_path)
    one, two = pretend(sharing), pretend(sharing, sharing_key=("model", "second suite"))
    sharing.obtain(one)
    assert (one.worked, two.worked) == (1, 1)


@pytest.mark.parametrize(("budget", "places"), [(0, 1), (5, 1), (9, 2), (100, 3)])
def test_no_more_models_are_loaded_together_than_fit_into_memory(tmp_path, budget, places):
    sharing = process(tmp_path, budget)
    for name, size in (("small", 1), ("middle", 4), ("large", 5)):
        pretend(sharing, sharing_key=(name, "suite"), file_bytes=size)
    assert sharing._places == places


def _hold(folder, ready, end):
    with WorkerExchange(folder).lock("model model"):
        ready.set()
        end.wait(30)


def test_the_lock_of_a_process_that_is_killed_is_free(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, end = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready, end))
    holder.start()
    assert ready.wait(30)
    with WorkerExchange(tmp_path).lock("model model") as held:
        assert not held
    holder.kill()
    holder.join()
    with WorkerExchange(tmp_path).lock("model model", wait=True) as held:
        assert held


def test_a_table_that_is_no_outcome_is_refused():
    with pytest.raises((KeyError, TypeError)):
        outcome_from(json.loads('{"text": "without its timing"}'))
