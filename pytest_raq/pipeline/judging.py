"""The judge at work in a run: ahead of what is asked for, so that it works on many at once."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pytest_raq.generation import Progress
    from pytest_raq.judging import Judge
    from pytest_raq.pipeline.bench import Bench
    from pytest_raq.records import Question, Ranking

Entry = tuple["Question", "Mapping[str, str]"]
"""A question and the texts to be ranked, by contestant."""


class RankingStream:
    """Rankings as the judge makes them.

    ``entry`` returns what is to be ranked for a question id.
    """

    def __init__(self, bench: Bench, entry: Callable[[str], Entry], progress: Progress) -> None:
        self._bench, self._entry, self._progress = bench, entry, progress
        self._judge = bench.panel
        self._stream: Iterator[Ranking] | None = None
        self._waiting: set[str] = set()
        self._total = 0
        self._started = 0.0

    def up_to(self, question_id: str, ready: Iterable[str]) -> Iterator[Ranking]:
        """Yield new rankings, that of a question the last of them.

        The judge works ahead on questions that are ``ready``: the ids of those
        that have their answers and no ranking.
        """
        if question_id not in self._waiting:
            others = [name for name in ready if name != question_id]
            self._open([question_id, *others])
        yield from self._pull(question_id)

    def all_of(self, question_ids: Iterable[str]) -> Iterator[Ranking]:
        """Yield the rankings of questions, in their order."""
        ordered = list(question_ids)
        self._open(ordered)
        for question_id in ordered:
            yield from self._pull(question_id)

    def _open(self, question_ids: list[str]) -> None:
        self.stop()
        entries = [self._entry(question_id) for question_id in question_ids]
        self._bench.check(entries, self._progress)
        self._waiting, self._total = set(question_ids), len(question_ids)
        self._started = time.monotonic()
        self._stream = self._bench.rank(entries)
        self._tell()

    def _pull(self, question_id: str) -> Iterator[Ranking]:
        """Yield rankings up to that of a question."""
        assert self._stream is not None
        for ranking in self._stream:
            self._waiting.discard(ranking.question_id)
            self._tell()
            yield ranking
            if ranking.question_id == question_id:
                break

    def _tell(self) -> None:
        if self._judge.is_free:
            return
        name, spent = self._judge.identity.name, str(self._judge.spending)
        self._progress.judged(name, self._total - len(self._waiting), self._total, spent)
        if not self._waiting:
            seconds = time.monotonic() - self._started
            self._progress.all_judged(name, self._total, seconds, spent)

    def stop(self) -> None:
        """Give up what is in flight."""
        self._waiting.clear()
        if self._stream is not None:
            stream, self._stream = self._stream, None
            close: Callable[[], None] | None = getattr(stream, "close", None)
            if close is not None:
                close()


def tell_judging(judge: Judge, rankings: Iterable[Ranking]) -> Iterator[str]:
    """Yield what a reader should know of how the rankings came about."""
    ranked, name = list(rankings), judge.identity.name
    missing = Counter(ranking.missing for ranking in ranked if ranking.missing)
    if missing and not judge.is_free:
        reason, _ = missing.most_common(1)[0]
        yield f"{missing.total()} of {len(ranked)} questions have no ranking: {reason}"
    known = [ranking.orders_agreed for ranking in ranked if ranking.orders_agreed is not None]
    if known:
        yield (
            f"judge {name}: asked in both orders, it said the same on {sum(known)} of"
            f" {len(known)} questions"
        )
