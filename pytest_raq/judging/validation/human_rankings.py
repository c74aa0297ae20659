"""Rankings by people, and how far a judge agrees with them."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from pytest_raq.datasets.items import read_bytes
from pytest_raq.datasets.text_rows import JsonLine, read_lines
from pytest_raq.errors import DatasetError
from pytest_raq.judging.protocol import Case, Order
from pytest_raq.judging.ranking import verdicts
from pytest_raq.records import HumanAgreement, Proportion
from pytest_raq.stats.agreement import LEVEL, PairCounts, count_pairs
from pytest_raq.stats.mid_ranks import tier_ranks
from pytest_raq.stats.resampling import UNDEFINED, passage_intervals, sum_by_passage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_raq.judging.protocol import Judge
    from pytest_raq.records import Question

RANKS = 'an object of names and ranks, 1 is best: {"a": 1, "b": 2}'
ORDER = 'a list of names, the best first, lists for tied names: ["a", ["b", "c"]]'
HIGHEST_RANK = 1_000_000
RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class HumanRanking:
    """One ranking by a person: a case, and the rank of each of its texts, 1 is best."""

    case: Case
    ranks: tuple[float, ...]


def read_human_rankings(
    path: Path,
    questions: Sequence[Question],
    accepted: Mapping[str, Mapping[str, str]] | None = None,
) -> list[HumanRanking]:
    """Read rankings by people, one JSON object per line.

    ``id`` names a question. ``ranks`` is an object, name → rank, or ``order``
    a list of names with the best first, where a list means names that
    are tied. A name is a key of ``answers`` on the same line (name → text),
    else a model whose answer is in ``accepted`` (question id → model →
    text), else itself the text. Several lines may rank one question; other
    fields are ignored. Lines whose texts are all equal carry no information and
    are skipped. DatasetError names the file, the line and the field.
    """
    known = {question.id: question for question in questions}
    found = []
    for number, values in read_lines(path, read_bytes(path)):
        line = _Line(f"{path}:{number}", values)
        question = line.question(known)
        texts = line.texts((accepted or {}).get(question.id, {}))
        ranking = _ranking(question, line.ranks(), texts)
        if len(ranking.case.texts) > 1:
            found.append(ranking)
    if not found:
        raise DatasetError(f"{path}: holds no ranking of two answers that differ")
    return found


def _ranking(
    question: Question, ranks: Mapping[str, float], texts: Mapping[str, str]
) -> HumanRanking:
    """Return a ranking of texts; a text with several names gets their mean rank."""
    by_text: dict[str, list[float]] = {}
    for name, rank in ranks.items():
        by_text.setdefault(texts.get(name, name).strip(), []).append(rank)
    ordered = tuple(sorted(by_text))
    return HumanRanking(Case(question, ordered), tuple(fmean(by_text[text]) for text in ordered))


@dataclass(frozen=True, slots=True)
class _Line(JsonLine):
    """A line with the fields of this file."""

    def question(self, known: Mapping[str, Question]) -> Question:
        value = self.values.get("id")
        if value is None:
            raise DatasetError(f"{self.place}: id: is missing; expected the id of a question")
        question = known.get(str(value))
        if question is None:
            raise self.wrong("id", "the id of a question of the suite", value)
        return question

    def texts(self, accepted: Mapping[str, str]) -> Mapping[str, str]:
        """Return the texts by name; empty if the names are the texts."""
        if "answers" not in self.values:
            return accepted if set(self.ranks()) <= accepted.keys() else {}
        value = self.values["answers"]
        expected = "an object of names and texts"
        if not isinstance(value, dict):
            raise self.wrong("answers", expected, value)
        for name in self.ranks():
            if not isinstance(value.get(name), str):
                raise self.wrong(f"answers.{name}", "the text that is ranked", value.get(name))
        return value

    def ranks(self) -> dict[str, float]:
        if ("ranks" in self.values) == ("order" in self.values):
            raise DatasetError(f"{self.place}: expected either ranks ({RANKS}) or order ({ORDER})")
        return self._given_ranks() if "ranks" in self.values else dict(self._given_order())

    def _given_ranks(self) -> dict[str, float]:
        value = self.values["ranks"]
        if not isinstance(value, dict) or not value:
            raise self.wrong("ranks", RANKS, value)
        for name, rank in value.items():
            if not _is_rank(rank):
                raise self.wrong(f"ranks.{name}", "a number, 1 is best", rank)
        return {name: float(rank) for name, rank in value.items()}

    def _given_order(self) -> Iterator[tuple[str, float]]:
        value = self.values["order"]
        if not isinstance(value, list) or not value:
            raise self.wrong("order", ORDER, value)
        seen: set[str] = set()
        for place, tier in enumerate(value, start=1):
            for name in tier if isinstance(tier, list) else [tier]:
                if not isinstance(name, str):
                    raise self.wrong(f"order[{place - 1}]", "a name or a list of names", name)
                if name in seen:
                    raise DatasetError(f"{self.place}: order: names {name!r} twice")
                seen.add(name)
                yield name, float(place)


def _is_rank(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= HIGHEST_RANK


def agree_with_people(
    judge: Judge, rankings: Sequence[HumanRanking], *, seed: int = 0
) -> HumanAgreement:
    """Let a judge rank what people ranked, and return how far they agree.

    The interval of the share of equally ordered pairs resamples
    passages, since the pairs of a question are not independent.
    """
    cases = list(
        {(item.case.question.id, item.case.texts): item.case for item in rankings}.values()
    )
    said = {
        (case.question.id, case.texts): verdict
        for case, verdict in zip(cases, verdicts(judge, cases), strict=True)
    }
    counted: list[tuple[Question, PairCounts]] = []
    for item in rankings:
        verdict = said[item.case.question.id, item.case.texts]
        if isinstance(verdict, Order):
            ranks = tier_ranks(verdict.tiers, len(item.ranks))
            counted.append((item.case.question, count_pairs(item.ranks, ranks)))
    total = sum((counts for _, counts in counted), PairCounts())
    return HumanAgreement(
        judge=judge.identity.name,
        rankings=len(rankings),
        missing=len(rankings) - len(counted),
        tau=total.tau_b,
        same=_same(counted, total, seed),
    )


def _same(
    counted: Sequence[tuple[Question, PairCounts]], total: PairCounts, seed: int
) -> Proportion:
    if not counted:
        return Proportion(0, 0, UNDEFINED)
    clusters = {question.id: question.cluster for question, _ in counted}
    values = np.array([[counts.same, counts.total] for _, counts in counted], dtype=np.float64)
    sums = sum_by_passage([question.id for question, _ in counted], values, clusters).sums
    interval = passage_intervals(
        sums[:, :1], sums[:, 1:], level=LEVEL, seed=seed, resamples=RESAMPLES
    )[0]
    return Proportion(total.same, total.total, interval)
