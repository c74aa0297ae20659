"""The judges of a run: tested before their verdicts count, asked, and compared."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from pytest_raq.judging.panel import as_panel, contestant_ranks
from pytest_raq.judging.ranking import is_settled, rank_contestants
from pytest_raq.judging.validation.agreement import agreement, habits
from pytest_raq.judging.validation.sentinel_check import check_told, judge_problem
from pytest_raq.judging.validation.sentinels import make_sentinels
from pytest_raq.progress import NoProgress
from pytest_raq.records import JudgeCheck, JudgeReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_raq.config import GateSettings
    from pytest_raq.judging.panel import Panel, PanelMember
    from pytest_raq.judging.protocol import Judge
    from pytest_raq.progress import Progress
    from pytest_raq.records import Question, Ranking


Entry = tuple["Question", "Mapping[str, str]"]
"""A question and the texts to be ranked, by contestant."""


class CheckedPanel:
    """Ranks answers, and knows whether the judges can be trusted.

    ``families`` are the model families of contestants. A judge that is not
    free first ranks a few sentinels, when the first ranking needs it.
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
        self._questions = {question.id: question for question in questions}
        self._settings, self._seed = settings, seed
        self._families = families or {}
        self._checks: dict[str, JudgeCheck] | None = None
        self._report: JudgeReport | None = None

    def rank(self, entries: Iterable[Entry]) -> Iterator[Ranking]:
        """Yield one ranking for each question and its texts by contestant, in order."""
        for ranking in rank_contestants(self.panel, entries, self._families):
            self._report = None
            yield ranking

    def check(self, entries: Iterable[Entry], progress: Progress | None = None) -> None:
        """Let judges that are not free rank sentinels once, if one of the entries needs them."""
        if self._checks is not None or not any(_needs_a_judge(*entry) for entry in entries):
            return
        costly = [seat for seat in self.panel.seats if not seat.judge.is_free]
        if not (costly and self._settings.min_judge_accuracy):
            self._checks = {}
            return
        sentinels = make_sentinels(
            list(self._questions.values()),
            seed=self._seed,
            limit=self._settings.judge_check_questions,
        )
        self._checks = {
            seat.name: check_told(seat.judge, sentinels, progress or NoProgress())
            for seat in costly
        }

    @property
    def problems(self) -> tuple[str, ...]:
        """Why judges are not trusted; empty if they are, or were not asked yet."""
        found = (judge_problem(check, self._settings) for check in (self._checks or {}).values())
        return tuple(problem for problem in found if problem)

    @property
    def accuracy_bound(self) -> float:
        """A lower bound (97.5 %) of the share of pairs that the judges rank correctly.

        Of a panel, that of its worst judge, since nobody knows whether its judges err on
        the same pairs. 1 for judges that need no check, and where nothing was checked.
        """
        checked = [check.accuracy for check in (self._checks or {}).values()]
        return min((item.interval.low for item in checked if item.total), default=1.0)

    def export_checks(self) -> str:
        """Return the results of tests of judges, for other processes; empty if there are none."""
        checks = {name: asdict(check) for name, check in (self._checks or {}).items()}
        return "" if self._checks is None else json.dumps(checks)

    def absorb_checks(self, text: str) -> None:
        """Take over what another process exported."""
        from pydantic import TypeAdapter

        if text and self._checks is None:
            adapter = TypeAdapter(dict[str, JudgeCheck])
            self._checks = adapter.validate_python(json.loads(text))
            self._report = None

    def export(self) -> str:
        """Return everything known about the judges, for another process."""
        heard = {seat.name: seat.export() for seat in self.panel.seats}
        return json.dumps({"checks": self.export_checks(), "heard": heard})

    def absorb(self, text: str) -> None:
        """Take over what another process exported."""
        table = json.loads(text)
        self.absorb_checks(table["checks"])
        for seat in self.panel.seats:
            seat.absorb(table["heard"].get(seat.name, {}), self._questions)
        self._report = None

    def report(
        self, contestants: Mapping[str, str], texts: Callable[[str], Mapping[str, str]]
    ) -> JudgeReport:
        """Return what is known about the judges.

        ``contestants`` maps the contestants to report to their reported
        names, ``texts`` returns the texts by contestant of a question; both
        return the same each time.
        """
        if self._report is None:
            self._report = self._make_report(contestants, texts)
        return self._report

    def _make_report(
        self, contestants: Mapping[str, str], texts: Callable[[str], Mapping[str, str]]
    ) -> JudgeReport:
        seats = self.panel.seats
        several = len(seats) > 1
        heard = sorted({name for seat in seats for name in seat.heard}) if several else []
        return JudgeReport(
            judges=tuple(seat.name for seat in seats),
            checks=self._checks or {},
            habits={seat.name: habits(seat) for seat in seats if not seat.judge.is_free},
            agreement=agreement(seats) if several else None,
            ranks={name: _ranks(seats, name, _named(texts(name), contestants)) for name in heard},
            agreed=_agreed(seats),
            problems=self.problems,
        )

    def notes(self) -> Iterator[str]:
        """Yield what a reader should know about the judges apart from the verdicts."""
        if not self._settings.min_judge_accuracy and not self.panel.is_free:
            yield "the judge is not checked: min_judge_accuracy is 0"
        for each in self.panel.seats:
            if each.judge.note:
                yield f"judge {each.name}: {each.judge.note}"
        seat, models = self.panel.seats[0], set(self._families)
        own = [name for name in models if seat.family and self._families[name] == seat.family]
        if len(self.panel.seats) == 1 and 0 < len(own) < len(models):
            names = sorted({name.partition(":")[2] for name in own})
            yield (
                f"judge {seat.name} is of the family {seat.family}, as is {', '.join(names)}:"
                " it may prefer their answers to those of other models;"
                " in a panel, a judge does not rank answers of its own family"
            )


def _needs_a_judge(question: Question, texts: Mapping[str, str]) -> bool:
    return not is_settled(question, {text.strip() for text in texts.values()})


def _named(texts: Mapping[str, str], contestants: Mapping[str, str]) -> dict[str, str]:
    """Return the texts by the names that are reported."""
    return {
        name: texts[contestant].strip()
        for contestant, name in contestants.items()
        if contestant in texts
    }


def _ranks(
    seats: Sequence[PanelMember], question_id: str, texts: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    found = {seat.name: contestant_ranks(seat, question_id, texts) for seat in seats}
    return {name: ranks for name, ranks in found.items() if ranks}


def _agreed(seats: Sequence[PanelMember]) -> dict[str, bool]:
    """Return, by question, whether each judge gave the same order each time."""
    found: dict[str, bool] = {}
    for seat in seats:
        for question_id, (item, _) in seat.heard.items():
            if item.order.agreed is not None:
                found[question_id] = found.get(question_id, True) and item.order.agreed
    return found
