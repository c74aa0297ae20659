"""The pictures of a run as files for a paper: SVG to be edited, PNG to be shown."""

from __future__ import annotations

import io
import re
from itertools import count
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from pytest_raq.errors import StoreError
from pytest_raq.report.figures.drawing import INK, LINE, MUTED, NOW, PAPER, style
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

_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", PAPER: "paper", NOW: "now"}
_ATTRIBUTES = re.compile(r"(?:fill|stroke|opacity|clip)(?:-[a-z]+)*|font-size|text-anchor")
_FONT_SIZE = re.compile(r"([0-9.]+)px")
_REFERENCE = re.compile(r"#([\w-]+)")


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


def svg_text(figure: Figure) -> str:
    """Return a figure as an SVG document whose text is text, as a file wants it.

    The same figure gives the same text.
    """
    written = io.StringIO()
    with style():
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


def inline_svg(figure: Figure, *, title: str, description: str, prefix: str) -> str:
    """Return a figure as an ``<svg>`` element for a page.

    Its colors are the page's variables ``--chart-…``, its font is the page's,
    and it has no ``style``, which the page's policy would not let pass. Ids
    begin with ``prefix``; title and description are what is read aloud.
    """
    root = ET.fromstring(svg_text(figure))  # noqa: S314 - we have just written it
    for parent in root.iter():
        for child in list(parent):
            if child.tag == f"{_SVG}style" or not child.tag.startswith(_SVG):
                parent.remove(child)
    for child in list(root):
        if child.tag == f"{_SVG}metadata":
            root.remove(child)
    _rename(root, prefix)
    for element in root.iter():
        _make_plain(element)
    _name(root, title, description, prefix)
    ET.register_namespace("", _SVG[1:-1])
    ET.register_namespace("xlink", _HREF[1:].partition("}")[0])
    return ET.tostring(root, encoding="unicode")


def _rename(root: ET.Element, prefix: str) -> None:
    """Keep only ids that are referred to, under names that no other picture has."""
    used: set[str] = set()
    for element in root.iter():
        for key in element.attrib:
            if key != "id":
                used.update(_REFERENCE.findall(element.attrib[key]))
    for element in root.iter():
        if "id" in element.attrib and element.attrib["id"] not in used:
            del element.attrib["id"]
        for key, value in element.attrib.items():
            if key == "id":
                element.attrib[key] = f"{prefix}-{value}"
            elif key == _HREF or "url(" in value:
                element.attrib[key] = _REFERENCE.sub(rf"#{prefix}-\1", value)


def _make_plain(element: ET.Element) -> None:
    """Turn a ``style`` into attributes, and colors into variables."""
    for part in element.attrib.pop("style", "").split(";"):
        key, _, value = (text.strip() for text in part.partition(":"))
        if key == "font" and (size := _FONT_SIZE.search(value)):
            element.set("font-size", size[1])
        elif _ATTRIBUTES.fullmatch(key):
            element.set(key, value)
    for key in ("fill", "stroke"):
        if (variable := _VARIABLES.get(element.get(key, ""))) is not None:
            element.set(key, f"var(--chart-{variable})")


def _name(root: ET.Element, title: str, description: str, prefix: str) -> None:
    width, height = (float(part) for part in root.attrib["viewBox"].split()[2:])
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.attrib.pop("version", None)
    root.set("width", f"{width * 4 / 3:.0f}")
    root.set("height", f"{height * 4 / 3:.0f}")
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}-title")
    root.set("aria-describedby", f"{prefix}-desc")
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ET.Element(f"{_SVG}{tag}", {"id": f"{prefix}-{tag}"})
        element.text = safe_text(text, len(text))
        root.insert(place, element)
