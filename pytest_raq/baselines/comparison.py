"""Whether a baseline may be compared with a run, and what differs beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records import Baseline, JudgeIdentity, ModelProvenance, Provenance


def refuse(baseline: Baseline, now: Provenance) -> str:
    """Return why the two cannot be compared, naming the field; empty when they can."""
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
    if dict(before.options) != dict(now.options):
        return (
            f"it was judged differently: provenance.judge.options is {dict(before.options)},"
            f" now {dict(now.options)}"
        )
    return ""


def refuse_model(baseline: Baseline, now: ModelProvenance, model: str) -> str:
    """Return why one model cannot be compared, naming the field; empty when it can."""
    before = baseline.provenance.models.get(model)
    if before is None or model not in baseline.models:
        return f"it does not hold {model}"
    if before.prompt_sha256 != now.prompt_sha256:
        return (
            f"it was accepted with another prompt: provenance.models.{model}.prompt_sha256 is"
            f" {before.prompt_sha256[:12]}, now {now.prompt_sha256[:12]}"
        )
    return ""


def differences(before: Provenance, now: Provenance) -> Iterator[str]:
    """Yield what differs without making a comparison unfair, one line a field."""
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


def _model_differences(model: str, before: ModelProvenance, now: ModelProvenance) -> Iterator[str]:
    if before.file_sha256 != now.file_sha256:
        yield (
            f"{model}: {_file(before)} → {_file(now)}"
            if _file(before) != _file(now)
            else f"{model}: {now.file} changed ({before.file_sha256[:12]} → {now.file_sha256[:12]})"
        )
    # What the engine says of itself is not known while it was not loaded.
    if before.template_sha256 and now.template_sha256:
        for field in ("engine", "build", "template_sha256"):
            then, today = getattr(before, field), getattr(now, field)
            if then != today:
                yield f"{model}: {field} {then} → {today}"
    for option in sorted(before.options.keys() | now.options.keys()):
        then, today = before.options.get(option), now.options.get(option)
        if then != today:
            yield f"{model}: {option} {then} → {today}"


def _file(model: ModelProvenance) -> str:
    return f"{model.file} ({model.quantization})" if model.quantization else model.file
