"""Where figures come from, as lines of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_raq.report.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_raq.records import ModelProvenance, Provenance


def provenance_lines(given: Provenance) -> Iterator[str]:
    """Yield the questions, what answered them, versions and the machine."""
    revision = f" at {safe_text(given.revision)}" if given.revision else ""
    yield f"questions: {safe_text(given.source)}{revision}, fingerprint {given.fingerprint[:12]}"
    for name, model in given.models.items():
        yield f"{safe_text(name)}: {safe_text(_model(model))}"
    for what, table in (("versions", given.versions), ("machine", given.machine)):
        told = ", ".join(f"{key} {value}" for key, value in table.items())
        yield f"{what}: {safe_text(told, 400)}"


def _model(model: ModelProvenance) -> str:
    parts = (
        model.file,
        model.quantization,
        f"SHA-256 {model.file_sha256[:12]}" if model.file_sha256 else "",
        f"{model.engine} {model.build}".strip(),
    )
    return ", ".join(part for part in parts if part)
