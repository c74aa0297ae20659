"""The judges of a run: checked before they are first believed, heard, and compared."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_raq.gate import judge_problem
from pytest_raq.generation import NoProgress
from pytest_raq.judging import rank_contestants
from pytest_raq.judging.agreeing import agreement, habits
from pytest_raq.judging.checking import check_judge
from pytest_raq.judging.panel import as_panel, contestant_ranks
from pytest_raq.judging.ranking import is_settled
from pytest_raq.judging.sentinels import make_sentinels
from pytest_raq.pipeline.evidence import NOW, THEN
from pytest_raq.records import JudgeReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_raq.config import GateSettings
    from pytest_raq.generation import ModelAnswers, Progress
    from pytest_raq.judging import Judge
    from pytest_raq.judging.panel import Panel, Seat
    from pytest_raq.judging.sentinels import Sentinel
    from pytest_raq.records import JudgeCheck, Question, Ranking

Entry = tuple["Question", "Mapping[str, str]"]


class Bench:
    """Ranks answers, and knows whether that may be believed.

    ``families`` are the model families of contestants. A judge that costs
    something first ranks a few sentinels, when the first ranking needs it.
    """

    def __init__(
        self,
        judge: Judge,
        questions: Sequence[Question],
        settings: GateSettings,
        *,
        seed: int,
        families: Mapping[str, str] | None = None,
    ) -> None:
        self.panel: Panel = as_panel(judge)
        self._questions, self._settings, self._seed = questions, settings, seed
        self._families = families or {}
        self._texts: dict[str, Mapping[str, str]] = {}
        self._checks: dict[str, JudgeCheck] | None = None
        self._report: JudgeReport | None = None

    def rank(self, entries: Iterable[Entry]) -> Iterator[Ranking]:
        """Yield the ranking of each question and its texts by contestant, in order."""
        items = list(entries)
        self.check(items)
        self._texts |= {question.id: texts for question, texts in items}
        for ranking in rank_contestants(self.panel, items, self._families):
            self._report = None
            yield ranking

    def check(self, entries: Sequence[Entry], progress: Progress | None = None) -> None:
        """Let judges that cost something rank sentinels, once, if one of the entries needs them."""
        if self._checks is not None or not any(_needs_a_judge(*entry) for entry in entries):
            return
        costly = [seat for seat in self.panel.seats if not seat.judge.is_free]
        if not (costly and self._settings.min_judge_accuracy):
            self._checks = {}
            return
        sentinels = make_sentinels(self._questions, seed=self._seed)
        self._checks = {
            seat.name: check_told(seat.judge, sentinels, progress or NoProgress())
            for seat in costly
        }

    @property
    def problems(self) -> tuple[str, ...]:
        """Why judges are not believed; empty when they are, or were not asked yet."""
        found = (judge_problem(check, self._settings) for check in (self._checks or {}).values())
        return tuple(problem for problem in found if problem)

    def report(self, contestants: Mapping[str, str]) -> JudgeReport:
        """Return what is known of the judges.

        ``contestants`` maps those that are told of to the names by which they
        are, the same each time.
        """
        if self._report is None:
            self._report = self._make_report(contestants)
        return self._report

    def _make_report(self, contestants: Mapping[str, str]) -> JudgeReport:
        seats = self.panel.seats
        several = len(seats) > 1
        return JudgeReport(
            judges=tuple(seat.name for seat in seats),
            checks=self._checks or {},
            habits={seat.name: habits(seat) for seat in seats if not seat.judge.is_free},
            agreement=agreement(seats) if several else None,
            ranks=self._ranks(seats, contestants) if several else {},
            agreed=self._agreed(seats),
            problems=self.problems,
            notes=tuple(self._notes(contestants)),
        )

    def _ranks(
        self, seats: Sequence[Seat], contestants: Mapping[str, str]
    ) -> dict[str, dict[str, dict[str, float]]]:
        return {
            question_id: {
                seat.name: ranks
                for seat in seats
                if (ranks := contestant_ranks(seat, question_id, _named(texts, contestants)))
            }
            for question_id, texts in self._texts.items()
        }

    def _agreed(self, seats: Sequence[Seat]) -> dict[str, bool]:
        """Return by question whether each judge gave the same order each time."""
        found: dict[str, bool] = {}
        for seat in seats:
            for question_id, (item, _) in seat.heard.items():
                if item.order.agreed is not None:
                    found[question_id] = found.get(question_id, True) and item.order.agreed
        return found

    def _notes(self, contestants: Mapping[str, str]) -> Iterator[str]:
        if not self._settings.min_judge_accuracy and not self.panel.is_free:
            yield "the judge is not checked: min_judge_accuracy is 0"
        seat = self.panel.seats[0]
        own = [
            name
            for contestant, name in contestants.items()
            if seat.family and self._families.get(contestant) == seat.family
        ]
        if own and len(self.panel.seats) == 1 and len(contestants) > len(own):
            yield (
                f"judge {seat.name} is of the family {seat.family} like {', '.join(own)}:"
                " it may prefer their answers to those of other models;"
                " a panel leaves a judge out where its own family answers"
            )


def check_told(
    judge: Judge, sentinels: Sequence[Sentinel], progress: Progress, *, again: bool = False
) -> JudgeCheck:
    """Let a judge rank sentinels, and show how far it is."""
    name, started = f"{judge.identity.name}, under test", time.monotonic()

    def tell(done: int, total: int) -> None:
        progress.judged(name, done, total, str(judge.spending))

    found = check_judge(judge, sentinels, again=again, tell=tell if sentinels else None)
    seconds = time.monotonic() - started
    if sentinels:
        progress.all_judged(name, len(sentinels), seconds, str(judge.spending))
    return found


def families(
    answers: Mapping[str, ModelAnswers], originals: Mapping[str, ModelAnswers]
) -> dict[str, str]:
    """Return the families of contestants; an accepted answer is by the model before a swap."""
    before = {**answers, **originals}
    return {
        **{NOW + name: item.model.family for name, item in answers.items()},
        **{THEN + name: before[name].model.family for name in answers},
    }


def _needs_a_judge(question: Question, texts: Mapping[str, str]) -> bool:
    return not is_settled(question, {text.strip() for text in texts.values()})


def _named(texts: Mapping[str, str], contestants: Mapping[str, str]) -> dict[str, str]:
    """Return the texts by the names that are told."""
    return {
        name: texts[contestant].strip()
        for contestant, name in contestants.items()
        if contestant in texts
    }
