"""Measure who puts answers in the right order, on tests/data/equivalence.jsonl, and how fast.

F1, the reference judge and, if the variable JUDGES names GGUF files (with commas between
them), local models as judges.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.config import ModelDefinition
from pytest_raq.judging import Case, Order, ReferenceJudge, make_judge
from pytest_raq.judging.equivalence.grading import Grader
from pytest_raq.records import UNANSWERABLE, Question
from pytest_raq.stats.model_summary import score_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_raq.judging.protocol import Judge

DATA = Path(__file__).parents[1] / "data" / "equivalence.jsonl"
PAIRS = 100_000
WORDS = (
    "the of castle river north king silver gold Emma Malden Rosa bridge 1066 Paris London not or"
    " and music water iron barley It is was in built by city people twenty 10 km"
)
MOST = 8
"""Words of the longest answer."""


@dataclass(frozen=True)
class Known:
    """Answers to a question whose order is known: the place of each text, 0 is best."""

    kind: str
    held_out: bool
    case: Case
    places: tuple[int, ...]


def read() -> list[Known]:
    """Return the cases of the file."""
    found = []
    for line in DATA.read_text("utf-8").splitlines():
        row = json.loads(line)
        place = {text: i for i, tier in enumerate(row["order"]) for text in tier}
        references = tuple(row["references"])
        texts = tuple(sorted(place))
        question = Question(
            row["id"], "", "", row["question"], references, references != (UNANSWERABLE,)
        )
        case = Case(question, texts)
        places = tuple(place[text] for text in texts)
        found.append(Known(row["kind"], row["held_out"], case, places))
    return found


def by_f1(cases: Iterable[Case]) -> Iterator[list[float] | None]:
    """Yield a value of each text, the higher the better: exact match, then F1."""
    for case in cases:
        scores = [score_answer(text, case.question) for text in case.texts]
        yield [10 * item.exact_match + round(item.f1, 9) for item in scores if item]


def by(judge: Judge) -> Callable[[Iterable[Case]], Iterator[list[float] | None]]:
    """Return the same for a judge; None where it gives no order."""

    def values(cases: Iterable[Case]) -> Iterator[list[float] | None]:
        for verdict in judge.order(cases):
            if not isinstance(verdict, Order):
                yield None
                continue
            found = {index: -tier for tier, some in enumerate(verdict.tiers) for index in some}
            yield [found[index] for index in range(len(found))]

    return values


def count(known: list[Known], values: Iterable[list[float] | None]) -> dict[str, list[int]]:
    """Return right pairs and all pairs by kind; a case without an order has none right."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for item, given in zip(known, values, strict=True):
        for a, b in combinations(range(len(item.places)), 2):
            expected = (item.places[a] < item.places[b]) - (item.places[a] > item.places[b])
            right = given is not None and (given[a] > given[b]) - (given[a] < given[b]) == expected
            for kind in (item.kind, "all"):
                found[kind][0] += right
                found[kind][1] += 1
    return found


def main(_: list[str]) -> None:
    """Print the shares of right orders by kind, then the time of 100,000 pairs."""
    judges: dict[str, Callable[[Iterable[Case]], Iterator[list[float] | None]]] = {
        "F1": by_f1,
        "reference": by(ReferenceJudge()),
    }
    for name in filter(None, os.environ.get("JUDGES", "").split(",")):
        definition = ModelDefinition.model_validate(
            {"name": "judge", "path": Path("judge.toml"), "file": name, "context_length": 4096}
        )
        judges[Path(name).stem] = by(make_judge(definition))
    for held_out in (False, True):
        known = [item for item in read() if item.held_out is held_out]
        results = {}
        for name, judge in judges.items():
            results[name] = count(known, judge(item.case for item in known))
        print("held out" if held_out else "open", f"({len(known)} cases)", *judges, sep=" | ")
        for kind in [*sorted({item.kind for item in known}), "all"]:
            shares = [
                f"{right / total:.2f}" for right, total in (r[kind] for r in results.values())
            ]
            print(kind, results["F1"][kind][1], *shares, sep=" | ")
    print(f"{PAIRS:,} pairs: {seconds():.1f} s of one processor")


def seconds() -> float:
    """Return the processor time to grade many answers, each seen for the first time."""
    drawn, words = random.Random(0), WORDS.split()

    def text(most: int) -> str:
        return " ".join(drawn.choices(words, k=drawn.randint(1, most)))

    questions = [Question("q", "", text(60), text(MOST), (text(4),)) for _ in range(PAIRS // 100)]
    answers = [[text(MOST) for _ in range(100)] for _ in questions]
    start = time.process_time()
    for question, some in zip(questions, answers, strict=True):
        grader = Grader(question)
        for answer in some:
            grader.grade(answer)
    return time.process_time() - start
