"""The rankings of a run: the judge works ahead, so that it ranks many questions at once."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from pytest_raq.judging.protocol import Spending
from pytest_raq.records import Ranking
from pytest_raq.store import hash_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_raq.judging.checked_panel import CheckedPanel
    from pytest_raq.progress import Progress
    from pytest_raq.records import Question

Entry = tuple["Question", "Mapping[str, str]"]
"""A question and the texts to be ranked, by contestant."""


class SharedFolder(Protocol):
    """A folder, with locks, that the processes of one run share."""

    folder: Path

    def lock(self, name: str, *, wait: bool = False) -> AbstractContextManager[bool]:
        """Hold the lock of a name if it is free; with ``wait``, wait until it is."""


class SuiteRankings:
    """The rankings of a suite in a run, each made once, by the judges of a panel.

    ``rankings`` are those made so far, by question. ``is_wanted`` says whether
    the run has asked for any: a judge that is not free is not asked before.
    With an ``exchange`` one process of a run judges at a time, and shares the
    rankings with the others: ``suite`` is the name under which they find them.
    """

    def __init__(
        self,
        checked_panel: CheckedPanel,
        progress: Progress,
        *,
        exchange: SharedFolder | None = None,
        suite: str = "",
    ) -> None:
        self.checked_panel, self._progress = checked_panel, progress
        self.judge = judge = checked_panel.panel
        self._exchange = None if judge.is_free else exchange
        self._suite = suite
        self.rankings: dict[str, Ranking] = {}
        self.is_wanted = judge.is_free
        self._elsewhere: dict[str, Ranking] = {}
        self._spent_elsewhere = Spending()
        self._entry: Callable[[str], Entry]
        self._stream: Iterator[Ranking] | None = None
        self._waiting: set[str] = set()
        self._total = 0
        self._started = 0.0

    def rank(
        self,
        question_ids: Iterable[str],
        ready: Callable[[], Iterable[str]],
        entry: Callable[[str], Entry],
    ) -> bool:
        """Rank questions; return whether there is anything new.

        The judge works ahead on questions that are ``ready``: the ids of those
        that have their answers. ``entry`` returns what is to be ranked for an id.
        """
        self.is_wanted, self._entry = True, entry
        before = len(self.rankings)
        for question_id in question_ids:
            if question_id in self.rankings:
                continue
            if question_id not in self._waiting:
                others = [name for name in ready() if name not in {question_id, *self.rankings}]
                self._open([question_id, *others])
            self._pull(question_id)
        return len(self.rankings) > before

    def _open(self, question_ids: list[str]) -> None:
        self.stop()
        if self._exchange is not None:
            self._stream = iter(self._share(self._exchange, question_ids))
            self._waiting = set(question_ids)
        else:
            self._stream = self._judged(question_ids)

    def _share(self, exchange: SharedFolder, question_ids: list[str]) -> list[Ranking]:
        """Return rankings of this or another process, so that no question is judged twice."""
        with exchange.lock(f"judge of {self._suite}", wait=True):
            path = exchange.folder / f"{hash_parts(suite=self._suite)[:24]}.rankings"
            self._share_checks(path.with_suffix(".checks"), question_ids)
            lines = path.read_text("ascii").splitlines() if path.exists() else []
            found = [Ranking(**json.loads(line)) for line in lines]
            known = {ranking.question_id: ranking for ranking in found}
            missing = [name for name in question_ids if name not in known]
            with path.open("a", encoding="ascii") as file:
                for ranking in self._judged(missing):
                    known[ranking.question_id] = ranking
                    file.write(json.dumps(asdict(ranking)) + "\n")
                    file.flush()
            if missing:
                self.judge.close()  # another process may need the memory for the same model
        return [known[name] for name in question_ids]

    def _share_checks(self, path: Path, question_ids: list[str]) -> None:
        """Let one process test the judges; the others take over what it found."""
        if path.exists():
            self.checked_panel.absorb_checks(path.read_text("ascii"))
        else:
            self.checked_panel.check(map(self._entry, question_ids), self._progress)
            if text := self.checked_panel.export_checks():
                path.write_text(text, "ascii")

    def _judged(self, question_ids: list[str]) -> Iterator[Ranking]:
        """Yield rankings as they are made."""
        entries = [self._entry(question_id) for question_id in question_ids]
        self.checked_panel.check(entries, self._progress)
        self._waiting, self._total = set(question_ids), len(question_ids)
        self._started = time.monotonic()
        return self._told(self.checked_panel.rank(entries))

    def _told(self, rankings: Iterator[Ranking]) -> Iterator[Ranking]:
        self._tell()
        for ranking in rankings:
            self._waiting.discard(ranking.question_id)
            self._tell()
            yield ranking

    def _pull(self, question_id: str) -> None:
        """Take rankings up to that of a question."""
        assert self._stream is not None
        for ranking in self._stream:
            self._waiting.discard(ranking.question_id)
            self.rankings[ranking.question_id] = ranking
            if ranking.question_id == question_id:
                break

    def _tell(self) -> None:
        if self.judge.is_free or not self._total:
            return
        name, spent = self.judge.identity.name, str(self.judge.spending)
        self._progress.judged(name, self._total - len(self._waiting), self._total, spent)
        if not self._waiting:
            seconds = time.monotonic() - self._started
            self._progress.all_judged(name, self._total, seconds, spent)

    def stop(self) -> None:
        """Cancel the requests in flight."""
        self._waiting.clear()
        if self._stream is not None:
            stream, self._stream = self._stream, None
            close: Callable[[], None] | None = getattr(stream, "close", None)
            if close is not None:
                close()

    def forget(self) -> None:
        """Rank everything again: the new answers must be ranked with other ones."""
        self.stop()
        self.rankings.clear()

    def give_up(self) -> None:
        """Make no more rankings that cost something, unless they are requested."""
        self.stop()
        self.is_wanted = self.judge.is_free

    def close(self) -> None:
        """Free what the judge holds; may be called twice."""
        self.stop()
        self.judge.close()

    def absorb(self, rankings: Iterable[Ranking], spent: Spending) -> None:
        """Take over the rankings of other processes; those of this process are made again."""
        self._elsewhere |= {ranking.question_id: ranking for ranking in rankings}
        self._spent_elsewhere += spent
        self.is_wanted = self.is_wanted or bool(self._elsewhere)
        self.stop()
        self.rankings = dict(self._elsewhere)

    @property
    def found(self) -> list[Ranking]:
        """The rankings that cost something, for other processes."""
        return [] if self.judge.is_free else list(self.rankings.values())

    @property
    def spent(self) -> str:
        """What the judge cost in this run, as text; empty if it was not asked."""
        spent = str(self.judge.spending + self._spent_elsewhere)
        return f"judge {self.judge.identity.name}: {spent} in this run" if spent else ""

    def notes(self) -> Iterator[str]:
        """Yield what a reader should know about how the rankings were made."""
        yield from self.checked_panel.notes()
        ranked = list(self.rankings.values())
        missing = Counter(ranking.missing for ranking in ranked if ranking.missing)
        if missing and not self.judge.is_free:
            reason, _ = missing.most_common(1)[0]
            count = missing.total()
            have = "has" if count == 1 else "have"
            yield f"{count} of {len(ranked)} questions {have} no ranking: {reason}"
        known = [ranking.orders_agreed for ranking in ranked if ranking.orders_agreed is not None]
        if known:
            yield (
                f"judge {self.judge.identity.name}: asked in both orders, it gave the same order on"
                f" {sum(known)} of {len(known)} questions"
            )
