"""Tests a judge on sentinels of known order and decides whether it is good enough."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from pytest_raq.judging.protocol import NoOrder, Order
from pytest_raq.judging.ranking import JudgedCase, verdicts
from pytest_raq.judging.validation.sentinels import are_spare, once_more
from pytest_raq.records import JudgeCheck
from pytest_raq.stats.agreement import length_preference, proportion, spearman_within, trend
from pytest_raq.stats.mid_ranks import tier_ranks
from pytest_raq.stats.model_summary import f1
from pytest_raq.text import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_raq.config import GateSettings
    from pytest_raq.judging.protocol import Case, Judge
    from pytest_raq.judging.validation.sentinels import Sentinel
    from pytest_raq.progress import Progress
    from pytest_raq.records import Proportion, Trend


AGAIN = 20
"""Maximum number of cases that are asked again if each is read in one order."""

Answered = list[tuple["Sentinel", JudgedCase]]

ROUNDING = 1e-9

POSITION_TAU = 0.5
"""Kendall's tau between rank and place in the prompt from which a judge has position bias."""
POSITION_P = 0.001
"""Maximum p at which that is not chance."""

MOST_MISSING = 0.5
"""Share of sentinels without a verdict above which a judge is not measured."""


def check_judge(
    judge: Judge,
    sentinels: Sequence[Sentinel],
    *,
    again: bool = False,
    tell: Callable[[int, int], None] | None = None,
) -> JudgeCheck:
    """Let a judge rank sentinels and return the result.

    With ``again`` a judge that reads each case in one order is asked some
    cases a second time, in another order, to see whether it stays the same.
    ``tell`` receives the number of ranked cases and of all cases.
    """
    name = judge.identity.name
    said = list(_listen(judge, sentinels, tell or (lambda *_: None)))
    heard = [(item, JudgedCase(item.case, v)) for item, v in said if isinstance(v, Order)]
    reasons = [v.reason for _, v in said if isinstance(v, NoOrder)]
    orders = max((len(item.order.readings) for _, item in heard), default=0)
    kinds = _pairs(heard)
    every = [right for results in kinds.values() for right in results]
    repeated = _asked_again(judge, heard) if again and orders < 2 else _read_twice(heard)
    cases = [item for _, item in heard]
    return JudgeCheck(
        judge=name,
        cases=len(said),
        missing=len(reasons),
        reason=reasons[0] if reasons else "",
        orders=orders,
        accuracy=_share(every),
        kinds={kind: _share(results) for kind, results in sorted(kinds.items())},
        level=_share(_level(heard)),
        consistency=_share(repeated),
        position=position_trend(cases),
        length=length_preference(_longer(heard)),
        f1=f1_trend(cases),
        f1_spearman=f1_spearman(cases),
        are_spare=are_spare(sentinels),
    )


def _listen(
    judge: Judge, sentinels: Sequence[Sentinel], tell: Callable[[int, int], None]
) -> Iterator[tuple[Sentinel, Order | NoOrder]]:
    tell(0, len(sentinels))
    answers = verdicts(judge, [item.case for item in sentinels])
    for done, (item, verdict) in enumerate(zip(sentinels, answers, strict=True), start=1):
        tell(done, len(sentinels))
        yield item, verdict


def _share(results: Iterable[bool]) -> Proportion:
    found = list(results)
    return proportion(sum(found), len(found))


def _pairs(heard: Answered) -> dict[str, list[bool]]:
    """Return, by kind, whether the better text of each known pair ranked strictly higher."""
    kinds: dict[str, list[bool]] = {}
    for sentinel, item in heard:
        ranks = item.ranks
        for pair in sentinel.pairs:
            kinds.setdefault(pair.kind, []).append(ranks[pair.better] < ranks[pair.worse])
    return kinds


def _level(heard: Answered) -> Iterator[bool]:
    for sentinel, item in heard:
        for one, other in sentinel.level:
            yield item.ranks[one] == item.ranks[other]


def _longer(heard: Answered) -> Iterator[int]:
    """Yield +1 if the longer of two texts with the same meaning ranked higher, −1 if lower."""
    for sentinel, item in heard:
        for longer, shorter in sentinel.lengths:
            a, b = item.ranks[longer], item.ranks[shorter]
            yield (a < b) - (a > b)


def _read_twice(heard: Answered) -> Iterator[bool]:
    return (item.order.agreed for _, item in heard if item.order.agreed is not None)


def _asked_again(judge: Judge, heard: Answered) -> Iterator[bool]:
    chosen = heard[:AGAIN]
    answers = verdicts(judge, [once_more(sentinel).case for sentinel, _ in chosen])
    for (_, item), verdict in zip(chosen, answers, strict=True):
        if isinstance(verdict, Order):
            yield JudgedCase(item.case, verdict).ranks == item.ranks


def position_trend(heard: Iterable[JudgedCase]) -> Trend:
    """Return whether texts that the judge saw earlier rank better."""
    return trend(
        (tier_ranks(reading.tiers, len(reading.shown)), _earliness(reading.shown))
        for item in heard
        for reading in item.readings
    )


def _earliness(shown: Sequence[int]) -> list[float]:
    place = {index: position for position, index in enumerate(shown)}
    return [float(-place[index]) for index in range(len(shown))]


def length_trend(heard: Iterable[JudgedCase]) -> Trend:
    """Return whether longer texts rank better; this may be justified."""
    return trend((item.ranks, [float(len(text)) for text in item.case.texts]) for item in heard)


def f1_trend(heard: Iterable[JudgedCase]) -> Trend:
    """Return whether texts with a higher SQuAD F1 rank better."""
    return trend((item.ranks, _f1(item.case)) for item in heard)


def f1_spearman(heard: Iterable[JudgedCase]) -> float:
    """Return Spearman's correlation of ranks with SQuAD F1, within cases."""
    return spearman_within((item.ranks, _f1(item.case)) for item in heard)


def _f1(case: Case) -> list[float]:
    return [round(f1(text, case.question.references), 9) for text in case.texts]


def judge_problem(check: JudgeCheck, settings: GateSettings) -> str:
    """Return why a judge is not trusted, on one line; empty if it is.

    A judge with position bias is refused if it reads the answers in one
    order only; with two orders the bias cancels out in its ranks,
    and its accuracy shows what remains.
    """
    if not settings.min_judge_accuracy:
        return ""
    unmeasured = why_unmeasured(check)
    if unmeasured:
        return unmeasured
    head = f"judge {check.judge!r} is not trusted: "
    biased = reads_places(check.position)
    if check.accuracy.share < settings.min_judge_accuracy - ROUNDING:
        of = " of built-in questions (the suite makes none)" if check.are_spare else ""
        more = f"; {_place(check)}" if biased else ""
        return head + _too_low(check.accuracy, of, settings) + more
    if biased and check.orders < 2:
        return f"{head}{_place(check)}; orders = 2 in its [judge] table asks in both orders"
    return ""


def why_unmeasured(check: JudgeCheck) -> str:
    """Return why a judge cannot be measured; empty if it can."""
    if not check.cases:
        return f"judge {check.judge!r} cannot be checked: there are no cases of known order"
    if check.missing > MOST_MISSING * check.cases:
        return (
            f"judge {check.judge!r} cannot be checked: it gave no ranking of {check.missing} of"
            f" {check.cases} cases of known order: {check.reason}"
        )
    return ""


def reads_places(position: Trend) -> bool:
    """Whether ranks clearly depend on the place in the prompt."""
    defined = not math.isnan(position.tau + position.p_value)
    return defined and abs(position.tau) >= POSITION_TAU and position.p_value <= POSITION_P


def _too_low(accuracy: Proportion, of: str, settings: GateSettings) -> str:
    low, high = accuracy.interval.low, accuracy.interval.high
    return (
        f"it ranked {accuracy.count} of {accuracy.total} pairs of known order{of} correctly"
        f" ({percent(accuracy.share)}, interval {percent(low)} to {percent(high)});"
        f" min_judge_accuracy is {percent(settings.min_judge_accuracy)}"
    )


def _place(check: JudgeCheck) -> str:
    which = "first" if check.position.tau > 0 else "last"
    tau = f"{check.position.tau:.2f}".replace("-", "−")
    return f"it prefers what it reads {which} (Kendall's tau {tau}, p < {POSITION_P:g})"


def check_told(
    judge: Judge, sentinels: Sequence[Sentinel], progress: Progress, *, again: bool = False
) -> JudgeCheck:
    """Let a judge rank sentinels, and show the progress."""
    name, started = f"{judge.identity.name}, under test", time.monotonic()

    def tell(done: int, total: int) -> None:
        progress.judged(name, done, total, str(judge.spending))

    found = check_judge(judge, sentinels, again=again, tell=tell)
    seconds = time.monotonic() - started
    progress.all_judged(name, len(sentinels), seconds, str(judge.spending))
    return found
