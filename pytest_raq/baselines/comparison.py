"""Whether a baseline can be compared with a run, and what else differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_raq.records import Decision
from pytest_raq.records.server_identity import changed_fields, changes_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records import Baseline, JudgeIdentity, ModelProvenance, Provenance, Verdict


@dataclass(frozen=True, slots=True)
class AcceptedStates:
    """The baseline and the anchor of a suite as they were read, or why they could not be.

    ``names`` are their paths as they are shown.
    """

    baseline: Baseline | None = None
    baseline_problem: str = ""
    anchor: Baseline | None = None
    anchor_problem: str = ""
    names: tuple[str, str] = ("", "")


ACCEPT = "accept with --raq-update"
SET_ANCHOR = "set the anchor again with --raq-anchor --raq-reason TEXT"
REFERENCE = "reference"
"""The name of the judge that is a fixed rule."""

_RULE = ("rule", "edition")


class BaselineComparison:
    """An accepted state that a run is compared with, or why there is no comparison.

    ``path`` is its path as it is shown; ``problem`` says why nothing can be
    compared with it and is empty otherwise; ``remedy`` is what to do where a model
    cannot be compared; ``was_accepted`` says that this run has become the accepted state.
    """

    def __init__(self, path: str, problem: str = "", *, remedy: str = ACCEPT) -> None:
        self.path, self.problem, self._remedy = path, problem, remedy
        self.baseline: Baseline | None = None
        self.was_accepted = False
        self._ranked_by: JudgeIdentity | None = None

    def hold_against(
        self, baseline: Baseline, now: Provenance, ranked_by: JudgeIdentity | None = None
    ) -> None:
        """Compare with the given baseline.

        ``ranked_by`` is the judge in its file, if its answers were ranked again since.
        """
        why = refuse(baseline, now)
        self._ranked_by = ranked_by
        self.baseline = baseline
        suffix = f"; {self._remedy}" if self._remedy != ACCEPT else ""
        self.problem = f"{self.path} does not fit: {why}{suffix}" if why else ""

    @property
    def comparable(self) -> Baseline | None:
        """The baseline, if any part of it can be compared."""
        return None if self.problem else self.baseline

    def problem_of(self, model: str, now: ModelProvenance) -> str:
        """Return why a model cannot be compared; empty if it can."""
        if self.baseline is None or self.problem:
            return self.problem
        why = refuse_model(self.baseline, now, model)
        return f"{self.path} does not fit: {why}; {self._remedy}" if why else ""

    def accepted_answer(self, model: str, question_id: str, now: ModelProvenance) -> str | None:
        """Return the accepted answer of a model to a question, as it is compared; None if not."""
        if self.baseline is None or self.problem_of(model, now):
            return None
        question = self.baseline.questions.get(question_id)
        return None if question is None else question.judged_text(model)

    def texts(self, model: str, now: ModelProvenance) -> dict[str, str]:
        """Return the accepted answers of a model by question id, if it can be compared."""
        if self.baseline is None or self.problem_of(model, now):
            return {}
        return self.baseline.texts(model)

    def accepted_file(self, model: str) -> str:
        """Return the SHA-256 of the accepted file of a model; empty if there is none."""
        before = self.baseline.provenance.models.get(model) if self.baseline else None
        return before.file_sha256 if before else ""

    def differences(self, now: Provenance) -> list[str]:
        """Return the differences from the baseline, one line per field."""
        comparable = self.comparable
        if comparable is None:
            return []
        found = list(differences(comparable.provenance, now))
        if self._ranked_by is not None and is_another_edition(self._ranked_by, now.judge):
            rules = " → ".join(_rule(judge) for judge in (self._ranked_by, now.judge))
            found.insert(0, f"rule of judge {REFERENCE}: {rules}; its answers were ranked again")
        return found

    def is_settled(self, verdict: Verdict) -> bool:
        """Whether the verdict is NO_BASELINE and this run was then accepted as the baseline."""
        return self.was_accepted and verdict.decision is Decision.NO_BASELINE


def refuse(baseline: Baseline, now: Provenance) -> str:
    """Return why the two cannot be compared, with the field; empty if they can."""
    before = baseline.provenance
    if before.fingerprint != now.fingerprint:
        return (
            "it was accepted for other questions: provenance.fingerprint is"
            f" {before.fingerprint[:12]} ({before.questions} questions of {before.source}),"
            f" now {now.fingerprint[:12]} ({now.questions} of {now.source})"
        )
    return _refuse_judge(before.judge, now.judge)


def _refuse_judge(before: JudgeIdentity, now: JudgeIdentity) -> str:
    for field in ("name", "prompt_sha256"):
        then, today = getattr(before, field), getattr(now, field)
        if then != today:
            return f"it was judged differently: provenance.judge.{field} is {then!r}, now {today!r}"
    if not is_another_edition(before, now) and before.chosen != now.chosen:
        return (
            f"it was judged differently: provenance.judge.options is {before.chosen},"
            f" now {now.chosen}"
        )
    return ""


def is_another_edition(before: JudgeIdentity, now: JudgeIdentity) -> bool:
    """Whether two judges differ in the rule of the reference judge alone.

    The rule asks no model, so answers that it ranked can be ranked again.
    """
    if (before.name, before.prompt_sha256) != (now.name, now.prompt_sha256):
        return False
    then, today = (
        {key: value for key, value in judge.chosen.items() if not _is_rule(key, judge.name)}
        for judge in (before, now)
    )
    return then == today and before.chosen != now.chosen


def _rule(judge: JudgeIdentity) -> str:
    rule = [value for key, value in judge.options.items() if _is_rule(key, judge.name)]
    return " ".join(sorted(rule, reverse=True))


def _is_rule(option: str, judge: str) -> bool:
    names = _RULE if judge == REFERENCE else tuple(f"{REFERENCE}.{name}" for name in _RULE)
    return option in names


def refuse_model(baseline: Baseline, now: ModelProvenance, model: str) -> str:
    """Return why one model cannot be compared, with the field; empty if it can."""
    before = baseline.provenance.models.get(model)
    if before is None or model not in baseline.models:
        return f"it does not contain {model}"
    if before.prompt_sha256 != now.prompt_sha256:
        return (
            f"it was accepted with another prompt: provenance.models.{model}.prompt_sha256 is"
            f" {before.prompt_sha256[:12]}, now {now.prompt_sha256[:12]}"
        )
    return ""


_BATCHES = {"parallel", "threads"}
"""Options that change how answers are computed, not what is asked of the model."""


def is_same_source(before: ModelProvenance, now: ModelProvenance) -> bool:
    """Whether the same file, engine, prompt and options made both answers.

    A server has no file that could be compared. Details of the engine that are not known,
    because it was not loaded for stored answers, are those of the key under which they were found.
    """
    if not now.file_sha256 or before.file_sha256 != now.file_sha256:
        return False
    if before.engine != now.engine or before.prompt_sha256 != now.prompt_sha256:
        return False
    if now.template_sha256 and (before.build, before.template_sha256) != (
        now.build, now.template_sha256
    ):  # fmt: skip
        return False
    asked_before, asked_now = (
        {name: value for name, value in item.options.items() if name not in _BATCHES}
        for item in (before, now)
    )
    return asked_before == asked_now


def differences(before: Provenance, now: Provenance) -> Iterator[str]:
    """Yield differences that do not prevent a comparison, one line per field."""
    for model in sorted(before.models.keys() & now.models.keys()):
        yield from _model_differences(model, before.models[model], now.models[model])
    for name in sorted(before.versions.keys() | now.versions.keys()):
        then, today = before.versions.get(name, "absent"), now.versions.get(name, "absent")
        if then != today:
            yield f"{name}: {then} → {today}"
    for name in sorted(before.machine.keys() | now.machine.keys()):
        then, today = before.machine.get(name, "unknown"), now.machine.get(name, "unknown")
        if then != today:
            yield f"machine {name}: {then} → {today}"
    for name in sorted(before.keys.keys() | now.keys.keys()):
        then, today = before.keys.get(name, "nowhere"), now.keys.get(name, "nowhere")
        if then != today:
            yield f"the value of {name} is sent to: {then} → {today}"


def _model_differences(model: str, before: ModelProvenance, now: ModelProvenance) -> Iterator[str]:
    if before.file_sha256 != now.file_sha256:
        yield (
            f"{model}: {_file(before)} → {_file(now)}"
            if _file(before) != _file(now)
            else f"{model}: {now.file} changed ({before.file_sha256[:12]} → {now.file_sha256[:12]})"
        )
    if told := server_change(before, now):
        yield f"{model}: {told}"
    # Details of the engine are not known if it was not loaded.
    if before.template_sha256 and now.template_sha256:
        for field in ("engine", "build", "template_sha256"):
            then, today = getattr(before, field), getattr(now, field)
            if then != today:
                yield f"{model}: {field} {then} → {today}"
        yield from _bit_differences(model, before, now)
    for option in sorted(before.options.keys() | now.options.keys()):
        then, today = before.options.get(option), now.options.get(option)
        if then != today:
            yield f"{model}: {option} {then} → {today}"


def server_change(before: ModelProvenance, now: ModelProvenance) -> str:
    """Return what a server says of itself that changed, old → new; empty if nothing is known."""
    changes = changed_fields(before.identity, now.identity)
    return changes_text(changes) if changes else ""


def _bit_differences(model: str, before: ModelProvenance, now: ModelProvenance) -> Iterator[str]:
    """Yield why the same file may not give the same bits as in a reproducible baseline."""
    then, today = before.reproducible or "no", now.reproducible or "no"
    if then != today:
        yield f"{model}: reproducible {then} → {today}: other bits are expected"
    elif now.reproducible and before.instruction_set != now.instruction_set:
        yield (
            f"{model}: instruction set {before.instruction_set} → {now.instruction_set}:"
            " other bits are expected"
        )


def _file(model: ModelProvenance) -> str:
    return f"{model.file} ({model.quantization})" if model.quantization else model.file
