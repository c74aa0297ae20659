"""Runs a ladder: one model in several quantizations, each file compared with the top."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.engines.llamacpp.quantizer import Quantizer, plain_name
from pytest_raq.errors import ConfigError, EngineError, MeasurementError
from pytest_raq.files import show_path
from pytest_raq.gate.likelihood import is_inside
from pytest_raq.records.command_results import Ladder, Rung
from pytest_raq.records.likelihood import REFERENCE
from pytest_raq.speed.rounds import time_in_turns
from pytest_raq.stats.likelihood import mean_bits
from pytest_raq.stats.speed import compare_turns
from pytest_raq.trials.in_memory_baseline import (
    accept_in_memory,
    ask_all,
    first_failure,
    summary_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Protocol

    from pytest_raq.config import ModelDefinition, SuiteDefinition
    from pytest_raq.records import Baseline
    from pytest_raq.running import Session, SuiteRun

    class Teller(Protocol):
        """Receives the progress of a ladder."""

        def show(self, text: str) -> None:
            """Show a text until the next one replaces it."""


KEPT = "ladder"
"""Folder next to the store for files that were made for a ladder."""

DEFAULT_KINDS = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K", "TQ1_0")
"""TQ1_0 is the smallest common type without an importance matrix, for models trained for it:
with it an ordinary model fails, which shows that the ladder can detect a failure."""

"""Turns of each file while speed is measured, if not all files fit into memory."""


class LadderMaker:
    """Makes the files of a ladder, or finds those made before.

    They are kept by the SHA-256 of their source file and the version of
    the quantizer, so that none is made twice.
    """

    def __init__(self, quantizer: Quantizer, source_sha256: str, folder: Path, name: str) -> None:
        self._quantizer = quantizer
        self._folder = folder.absolute() / f"{source_sha256[:12]}-{quantizer.source.build}"
        self._name = name

    def make(self, kind: str, teller: Teller) -> Rung:
        """Return a rung with its file, or with a problem if the file cannot be made."""
        path = self._folder / f"{self._name}-{kind}.gguf"
        notes = path.with_suffix(".notes")
        if path.exists() and notes.exists():
            told = notes.read_text(encoding="utf-8").splitlines()
            return Rung(kind, str(path), path.stat().st_size, notes=tuple(told))
        try:
            made = self._quantizer.quantize(
                kind,
                path,
                lambda done, total: teller.show(f"{path.name}: tensor {done} of {total}"),
            )
            notes.write_text("".join(f"{note}\n" for note in made.notes), encoding="utf-8")
        except (EngineError, ConfigError, OSError) as exc:
            return Rung(kind, str(path), 0, problem=str(exc))
        return Rung(kind, str(path), made.bytes, notes=made.notes)


class LadderClimber:
    """One model of a suite, in several files.

    ``kept`` is the folder for the files; None means next to the store.
    """

    def __init__(self, session: Session, teller: Teller, *, kept: Path | None = None) -> None:
        self._session = session
        self._teller = teller
        self._kept = kept or session.options.store_path.parent / KEPT

    def climb(
        self, suite_name: str, model: str, kinds: Sequence[str], *, top_kind: str = ""
    ) -> Ladder:
        """Make the files, ask all of them the questions of the suite, and time them in turns.

        Raises UsageError if model, suite or a type is wrong,
        MeasurementError if the top cannot be measured. A problem with one of the
        others is reported in its rung.
        """
        suite = self._session.suite(suite_name)
        definition = self._session.contestants.single(suite, model)
        with Quantizer(definition.file_path) as quantizer:
            top, rungs = self._make(quantizer, definition, kinds, top_kind)
        rungs = sorted(rungs, key=lambda rung: -rung.bytes)
        made = [rung for rung in rungs if not rung.problem]
        return self._measure(suite, definition, top, made, [r for r in rungs if r.problem])

    def _make(
        self,
        quantizer: Quantizer,
        definition: ModelDefinition,
        kinds: Sequence[str],
        top_kind: str,
    ) -> tuple[Rung, list[Rung]]:
        source = definition.file_path
        stored_as = quantizer.source.quantization
        wanted = list(dict.fromkeys(quantizer.kind(kind) for kind in kinds))
        maker = LadderMaker(
            quantizer, self._session.digest(source), self._kept, plain_name(source, stored_as)
        )
        top_kind = quantizer.kind(top_kind) if top_kind else stored_as
        if top_kind == stored_as:
            top = Rung(stored_as or "as it is", str(source.absolute()), source.stat().st_size)
        else:
            top = maker.make(top_kind, self._teller)
        if top.problem:
            raise MeasurementError(f"the top of the ladder: {top.problem}")
        wanted = [kind for kind in wanted if kind != top.kind]
        if not wanted:
            raise ConfigError(f"the ladder has no rung: {top.kind} is its top; name others")
        return top, [maker.make(kind, self._teller) for kind in wanted]

    def _measure(
        self,
        suite: SuiteDefinition,
        definition: ModelDefinition,
        top: Rung,
        rungs: Sequence[Rung],
        broken: Sequence[Rung],
    ) -> Ladder:
        above = self._run(suite, definition, [top])
        outcomes = ask_all(above)
        top_outcomes = outcomes[top.kind]
        summary = summary_of(above, top.kind, top_outcomes)
        if not summary.answered:
            raise MeasurementError(
                f"the top of the ladder, {top.kind}: none of {len(above.questions)} questions has"
                f" an answer: {first_failure(top_outcomes)}"
            )
        below = self._run(suite, definition, rungs) if rungs else None
        if below is not None:
            accepted = accept_in_memory(above, outcomes, dict.fromkeys(below.models, top.kind))
            below.compare_with(accepted)
            rungs = [self._judged(below, rung) for rung in rungs]
            summary = replace(summary, reference_bits_per_byte=_mean_reference(accepted, below))
        top = replace(top, summary=summary)
        top, rungs = self._timed(suite, above, below, top, rungs)
        result = [*rungs, *broken]
        return Ladder(
            suite=suite.name,
            model=definition.name,
            questions=len(above.questions),
            passages=len({question.cluster for question in above.questions}),
            margin=suite.gate.margin,
            top=_shown(top),
            rungs=tuple(map(_shown, result)),
            smallest=_smallest(result),
            smallest_by_likelihood=_smallest_by_likelihood(result, suite, len(above.questions)),
            likelihood_margin=suite.gate.likelihood_margin,
            provenance=above.provenance,
            notes=(
                *above.answers.notes,
                *(below.answers.notes if below else ()),
                *_notes(result),
            ),
        )

    def _run(
        self, suite: SuiteDefinition, definition: ModelDefinition, rungs: Sequence[Rung]
    ) -> SuiteRun:
        models = {rung.kind: _variant(definition, rung) for rung in rungs}
        return self._session.build(suite.model_copy(update={"models": tuple(models)}), models)

    def _judged(self, run: SuiteRun, rung: Rung) -> Rung:
        verdict = run.verdict(rung.kind)
        return replace(rung, verdict=verdict, summary=run.result().models[rung.kind])

    def _timed(
        self,
        suite: SuiteDefinition,
        above: SuiteRun,
        below: SuiteRun | None,
        top: Rung,
        rungs: Sequence[Rung],
    ) -> tuple[Rung, Sequence[Rung]]:
        answered = [rung for rung in rungs if rung.summary and rung.summary.answered]
        models = {top.kind: above.speed.timed(top.kind)}
        if below is not None:
            models |= {rung.kind: below.speed.timed(rung.kind) for rung in answered}
        times = time_in_turns(
            models,
            above.questions,
            told=lambda done, total: self._teller.show(f"speed: turn {done + 1} of {total}"),
        )
        before = times.samples.get(top.kind, {})
        limit = 1 - suite.gate.max_slowdown
        timed = []
        for rung in rungs:
            now = times.samples.get(rung.kind, {})
            notes = rung.notes
            if rung.kind in times.problems:
                notes = (*notes, f"speed was not measured: {times.problems[rung.kind]}")
            speed = compare_turns(times.ratios.get(rung.kind, {}), now, before, limit=limit)
            timed.append(replace(rung, samples=now, speed=speed, notes=notes))
        return replace(top, samples=before), timed


def _variant(definition: ModelDefinition, rung: Rung) -> ModelDefinition:
    """Return the model as it is run from the file of a rung, with a separate name."""
    name = f"{definition.name} {rung.kind}"
    return definition.model_copy(update={"name": name, "file": rung.file, "sha256": None})


def _shown(rung: Rung) -> Rung:
    return replace(rung, file=show_path(Path(rung.file)))


def _smallest(rungs: Sequence[Rung]) -> str:
    passed = [r for r in rungs if r.verdict and r.verdict.decision.is_good]
    return min(passed, key=lambda rung: rung.bytes).kind if passed else ""


def _smallest_by_likelihood(rungs: Sequence[Rung], suite: SuiteDefinition, expected: int) -> str:
    inside = [
        rung
        for rung in rungs
        if rung.verdict
        and rung.verdict.likelihood
        and is_inside(rung.verdict.likelihood, suite.gate, expected=expected)
    ]
    return min(inside, key=lambda rung: rung.bytes).kind if inside else ""


def _mean_reference(accepted: Baseline, below: SuiteRun) -> float | None:
    """Return the mean bits per byte of the references for the top, as the rungs see it."""
    name = below.models[0]
    found = [item.likelihood.get(REFERENCE, {}).get(name) for item in accepted.questions.values()]
    return mean_bits(bits for bits in found if bits is not None)


def _notes(rungs: Sequence[Rung]) -> Iterator[str]:
    """Yield where a larger file did not pass but a smaller one did: chance, or a bad type."""
    smallest = _smallest(rungs)
    if not smallest:
        return
    limit = next(rung.bytes for rung in rungs if rung.kind == smallest)
    doubtful = [
        rung.kind
        for rung in rungs
        if rung.verdict and rung.bytes > limit and not rung.verdict.decision.is_good
    ]
    if doubtful:
        yield (
            f"{', '.join(doubtful)}, larger than {smallest}, did not pass: ask more questions"
            " before you rely on the smaller one"
        )
