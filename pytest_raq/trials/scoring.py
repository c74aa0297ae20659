"""Scores texts without generating any: references, or texts from a file."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_raq.answering.likelihoods import reference_of
from pytest_raq.engines.llamacpp.quantizer import Quantizer, plain_name
from pytest_raq.errors import ConfigError
from pytest_raq.files import show_path
from pytest_raq.gate.likelihood import likelihood_word
from pytest_raq.records.scoring import ScoredFile, ScoredText, Scoring
from pytest_raq.stats.likelihood import likelihood_evidence, mean_bits
from pytest_raq.trials.ladder import KEPT, LadderMaker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_raq.config import ModelDefinition, SuiteDefinition
    from pytest_raq.records import LikelihoodEvidence
    from pytest_raq.running import Session, SuiteRun
    from pytest_raq.trials.ladder import Teller


def score_model(
    session: Session,
    suite_name: str,
    model: str,
    *,
    kinds: Sequence[str] = (),
    texts: Mapping[str, Sequence[str]] | None = None,
    teller: Teller,
) -> Scoring:
    """Score a model, and its file in other quantizations; nothing is generated.

    The model is held against the baseline of the suite, where that has
    likelihoods; files of other ``kinds`` against the model itself. ``texts`` are
    scored in place of the references, by question id. UsageError if something is wrong.
    """
    suite = session.suite(suite_name)
    gate = suite.gate.model_copy(update={"likelihood": "show"})
    suite = suite.model_copy(update={"gate": gate})
    definition = session.contestants.named(suite, model)
    files = _files(session, definition, kinds, teller)
    made = {name: each for name, each in files.items() if not each.problem}
    models = {
        name: definition
        if name == definition.name
        else definition.model_copy(update={"name": name, "file": each.file, "sha256": None})
        for name, each in made.items()
    }
    run = session.build(suite.model_copy(update={"models": tuple(models)}), models)
    _refuse_unknown(run, texts)
    scored = [_scored(run, each, texts) for each in made.values()]
    scored = _compare(run, scored, suite, has_references=texts is None)
    found = {each.name: each for each in scored}
    rows = tuple(found.get(name, each) for name, each in files.items())
    return Scoring(
        suite=suite.name,
        model=definition.name,
        questions=len(run.questions),
        passages=len({question.cluster for question in run.questions}),
        margin=gate.likelihood_margin,
        against=_against(run, definition.name, kinds) if texts is None else "",
        files=rows,
        smallest=_smallest(rows[1:]),
    )


def _files(
    session: Session, definition: ModelDefinition, kinds: Sequence[str], teller: Teller
) -> dict[str, ScoredFile]:
    """Return the model and the files made of it, by name."""
    if definition.file is None:
        if kinds:
            raise ConfigError(f"{definition.path}: a model behind a server has no file to quantize")
        return {definition.name: ScoredFile(definition.name)}
    source = definition.file_path
    size = source.stat().st_size if source.is_file() else 0
    files = {definition.name: ScoredFile(definition.name, str(source), size)}
    if not kinds:
        return files
    with Quantizer(source) as quantizer:
        stored_as = quantizer.source.quantization
        folder = session.options.store_path.parent / KEPT
        maker = LadderMaker(
            quantizer, session.digest(source), folder, plain_name(source, stored_as)
        )
        for kind in dict.fromkeys(quantizer.kind(kind) for kind in kinds):
            if kind != stored_as:
                rung = maker.make(kind, teller)
                files[kind] = ScoredFile(kind, rung.file, rung.bytes, problem=rung.problem)
    return files


def _refuse_unknown(run: SuiteRun, texts: Mapping[str, Sequence[str]] | None) -> None:
    unknown = sorted(set(texts or ()) - set(run.questions_by_id))
    if unknown:
        raise ConfigError(
            f"--from: {unknown[0]!r} is no question of {run.suite.name}: give ids of its questions"
        )


def _scored(
    run: SuiteRun, each: ScoredFile, texts: Mapping[str, Sequence[str]] | None
) -> ScoredFile:
    started = time.perf_counter()
    likelihoods = run.likelihoods.of(each.name)
    wanted = {
        question.id: [*texts.get(question.id, ())]
        if texts is not None
        else _references(run, each, question.id)
        for question in run.questions
    }
    likelihoods.wanted = lambda question_id: wanted[question_id]
    likelihoods.obtain(list(wanted))
    found = tuple(
        ScoredText(question.id, question.cluster, text, known)
        for question in run.questions
        for text in wanted[question.id]
        if (known := likelihoods.about(question.id).get(text))
    )
    first = {item.question_id: item.likelihood.bits_per_byte for item in reversed(found)}
    return replace(
        each,
        file=show_path(Path(each.file)) if each.file else "",
        scored=len(first),
        bits_per_byte=mean_bits(first.values()),
        seconds=time.perf_counter() - started,
        problem=likelihoods.problem if not first else "",
        texts=found,
        problems=likelihoods.problems,
    )


def _references(run: SuiteRun, each: ScoredFile, question_id: str) -> list[str]:
    """Return what is tested of a question, and the accepted answer, for the drift."""
    accepted = run.parts.accepted_answer(each.name, question_id)
    texts = [reference_of(run.questions_by_id[question_id]), accepted or ""]
    return [text for text in dict.fromkeys(texts) if text]


def _compare(
    run: SuiteRun, scored: list[ScoredFile], suite: SuiteDefinition, *, has_references: bool
) -> list[ScoredFile]:
    """Compare the first file with the baseline, and the others with the first."""
    if not has_references:
        return scored
    top, *others = scored
    own = run.verdicts.likelihood()[top.name].since_baseline
    clusters = {question.id: question.cluster for question in run.questions}
    before = _bits(run, top)
    found = likelihood_evidence(
        {each.name: _bits(run, each) for each in others},
        {each.name: before for each in others},
        clusters,
        level=1 - 2 * suite.gate.pass_level,
        seed=suite.dataset.seed,
    )

    def told(each: ScoredFile, evidence: LikelihoodEvidence | None) -> ScoredFile:
        if evidence is None:
            return each
        word = likelihood_word(evidence, suite.gate, expected=len(run.questions))
        return replace(each, evidence=evidence, word=word)

    return [told(top, own), *(told(each, found.get(each.name)) for each in others)]


def _bits(run: SuiteRun, each: ScoredFile) -> dict[str, float]:
    texts = {question.id: reference_of(question) for question in run.questions}
    return run.likelihoods.bits(each.name, texts)


def _against(run: SuiteRun, model: str, kinds: Sequence[str]) -> str:
    if kinds:
        return model
    return run.comparison.path if run.verdicts.likelihood()[model].since_baseline else ""


def _smallest(files: Sequence[ScoredFile]) -> str:
    inside = [each for each in files if each.word == "within the margin"]
    return min(inside, key=lambda each: each.bytes).name if inside else ""
