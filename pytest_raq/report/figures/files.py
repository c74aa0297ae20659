"""The pictures of a run as files for a paper: SVG to be edited, PNG to be shown."""

from __future__ import annotations

import io
import re
from itertools import count
from typing import TYPE_CHECKING

from pytest_raq.errors import StoreError
from pytest_raq.report.figures.drawing import style
from pytest_raq.report.figures.suite import suite_pictures
from pytest_raq.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from pytest_raq.records import SuiteResult
    from pytest_raq.report.figures.suite import Picture

_DOTS_PER_INCH = 300
_MARGIN = 0.08
"""Inches around a picture."""

_TITLE_GAP = 10.0
"""Points between a title and its picture."""

_NOT_IN_NAMES = re.compile(r"[^\w.-]+")


def write_figures(results: Sequence[SuiteResult], folder: Path) -> list[Path]:
    """Write each picture as ``SUITE-PICTURE.svg`` and ``.png`` and return the paths.

    Each has its title and the suite above it, on white. The same run gives the
    same files. StoreError when one cannot be written.
    """
    written: list[Path] = []
    for result in results:
        for picture in suite_pictures(result):
            with style():
                _label(picture, result.suite)
            stem = _free_stem(f"{safe_text(result.suite)}-{picture.name}", written)
            for kind in ("svg", "png"):
                path = folder / f"{stem}.{kind}"
                _write(path, _content(picture.figure, kind))
                written.append(path)
    return written


def _free_stem(name: str, written: Sequence[Path]) -> str:
    """Return a name for files that no other picture of this run has."""
    stem = _NOT_IN_NAMES.sub("-", name).lstrip(".")
    taken = {path.stem for path in written}
    numbers = (f"{stem}-{number}" for number in count(2))
    return stem if stem not in taken else next(one for one in numbers if one not in taken)


def _label(picture: Picture, suite: str) -> None:
    """Put a title above a picture and give it a white ground."""
    figure = picture.figure
    figure.set_facecolor("white")
    height = figure.get_size_inches()[1]
    figure.text(
        0.0,
        1.0 + _TITLE_GAP / 72 / height,
        f"{picture.title} – {safe_text(suite)}",
        fontweight="bold",
        va="bottom",
        ha="left",
    )


def _content(figure: Figure, kind: str) -> bytes:
    written = io.BytesIO()
    nothing = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    with style():
        figure.savefig(
            written,
            format=kind,
            dpi=_DOTS_PER_INCH,
            bbox_inches="tight",  # the title is above
            pad_inches=_MARGIN,
            metadata=nothing[kind],
        )
    return written.getvalue()


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as exc:
        raise StoreError(f"{path}: cannot be written: {exc.strerror or exc}") from exc
