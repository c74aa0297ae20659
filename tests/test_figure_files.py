"""Pictures as files: labelled, on white, told apart without colour."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from made_results import make_answers, make_questions, make_result
from PIL import Image
from projects import Project

from pytest_raq.cli import main
from pytest_raq.errors import StoreError
from pytest_raq.report.figures.drawing import NOW
from pytest_raq.report.figures.files import write_figures

HOSTILE = "$x$ <script>../../etc"
NAMES = {
    "net-preference", "rank-distribution", "mean-ranks", "critical-difference",
    "words-per-second", "words", "prefill-tokens-per-second", "decode-tokens-per-second",
    "time-to-first-token",
}  # fmt: skip


@pytest.fixture(scope="module")
def result():
    questions = make_questions(24, 8)
    now = make_answers(questions, {"good": 0.9, "fair": 0.6}, 1)
    return make_result(questions, now, make_answers(questions, {"good": 0.9, "fair": 0.9}, 2))


@pytest.fixture(scope="module")
def files(result, tmp_path_factory):
    return write_figures([result], tmp_path_factory.mktemp("figures") / "new")


def luminance(colour):
    def linear(part):
        return part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_picture_is_there_twice(files):
    assert {path.name for path in files} == {
        f"made-{name}.{kind}" for name in NAMES for kind in ("svg", "png")
    }


def test_a_png_is_large_enough_to_print_and_has_a_white_ground(files):
    for path in files:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
                assert image.width > 1200
                shown = image.convert("RGB")
                assert shown.getpixel((0, 0)) == (255, 255, 255)
                dark = sum(shown.convert("L").histogram()[:128])
                assert 0.01 < dark / (image.width * image.height) < 0.5


def test_an_svg_has_title_labels_and_ground(files):
    (path,) = [path for path in files if path.name == "made-mean-ranks.svg"]
    root = ET.fromstring(path.read_bytes())  # noqa: S314 - our own
    texts = [element.text.strip() for element in root.iter() if element.text]
    assert {"Mean ranks – made", "good", "fair", "today", "baseline"} <= set(texts)
    assert any(text.startswith("mean rank, 1 is best") for text in texts)
    assert b"#ffffff" in path.read_bytes()
    height = float(root.attrib["viewBox"].split()[3])
    places = [
        float(element.attrib["y"])
        for element in root.iter()
        if "y" in element.attrib and element.tag.endswith("text")
    ]
    assert all(0 < place < height for place in places)


def test_todays_colour_is_dark_enough_in_grey():
    assert 1.05 / (luminance(NOW) + 0.05) > 4.5  # against white


def test_the_same_run_gives_the_same_files(result, files, tmp_path):
    again = write_figures([result], tmp_path)
    for one, other in zip(files, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_names_of_suites_cannot_leave_the_folder_or_meet(result, tmp_path):
    pair = [
        replace(result, suite=name, tests=None) for name in (HOSTILE, HOSTILE.replace("/", "-"))
    ]
    written = write_figures(pair, tmp_path)
    assert {path.parent for path in written} == {tmp_path}
    assert len({path.name for path in written}) == len(written) == len(list(tmp_path.iterdir()))


def test_a_folder_that_cannot_be_written_is_told(result, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/made-net-preference\.svg: cannot be written: "):
        write_figures([result], tmp_path / "file")


def test_the_command_writes_figures_and_a_page_where_one_is_wanted(pytester, monkeypatch, capsys):
    monkeypatch.chdir(pytester.path)
    project = Project(pytester)
    project.accept()
    capsys.readouterr()
    assert main(["report", "--figures", "out"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("16 files with pictures of 20") and said.endswith("written to out\n")
    assert len(list(Path("out").glob("small-*.png"))) == 8
    assert not Path("raq-report.html").exists()
    assert main(["report", "--figures", "out", "--out", "page.html"]) == 0
    assert Path("page.html").exists()
    capsys.readouterr()
    assert main(["report", "--figures", "page.html"]) == 2
    assert capsys.readouterr().err == "raq: --figures page.html: is a file; give a folder\n"
