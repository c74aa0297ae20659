"""Pictures: what they show, in words too; SVG for files and for the middle of a page."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from made_results import make_answers, make_questions, make_result
from matplotlib.text import Text

from pytest_raq.report.figures.difference import draw_difference
from pytest_raq.report.figures.drawing import (
    Mark,
    draw_bars,
    draw_marks,
    draw_shares,
    style,
)
from pytest_raq.report.figures.files import inline_svg, svg_text
from pytest_raq.report.figures.suite import suite_pictures

HOSTILE = '$\\frac{x}$ <script>alert("1")</script> & {name}\x1b[31m \u202e'


@pytest.fixture(scope="module")
def result():
    questions = make_questions(24, 8)
    share = {"good": 0.9, "fair": 0.6, HOSTILE: 0.2}
    now, before = make_answers(questions, share, 1), make_answers(questions, share, 2)
    return make_result(questions, now, before)


@pytest.fixture(scope="module")
def pictures(result):
    return {picture.name: picture for picture in suite_pictures(result)}


def parse(svg):
    return ET.fromstring(svg)  # noqa: S314


def texts(svg):
    found = (element.text for element in parse(svg).iter())
    return [text for text in found if text and text.strip()]


def test_every_figure_of_a_run_is_a_picture(pictures):
    assert list(pictures) == [
        "net-preference",
        "rank-distribution",
        "mean-ranks",
        "critical-difference",
        "words-per-second",
        "words",
        "prefill-tokens-per-second",
        "decode-tokens-per-second",
        "time-to-first-token",
    ]


def test_a_picture_says_in_words_what_it_shows(pictures, result):
    good = result.models["good"]
    text = pictures["mean-ranks"].description
    before = result.baseline.models["good"]
    assert f"good {good.mean_rank:.2f} [{good.interval.low:.2f}, {good.interval.high:.2f}]" in text
    assert f"(baseline {before.mean_rank:.2f} [" in text
    assert f"good {good.words_per_second:.1f} words/s" in pictures["words-per-second"].description
    seconds = good.time_to_first_token
    assert f"good {seconds * 1000:.1f} ms" in pictures["time-to-first-token"].description
    counted = sum(item.ranks["good"] == 1 for item in result.questions)
    assert f"good {counted} × rank 1" in pictures["rank-distribution"].description
    p_value = result.tests.permutation_holm["good"]["fair"]
    apart = "apart" if p_value <= 0.05 else "not told apart"
    assert re.search(rf"good and fair {apart} \(p", pictures["critical-difference"].description)


def test_values_stand_beside_their_bars(pictures, result):
    shown = texts(svg_text(pictures["words"].figure))
    assert "good" in shown
    assert f"{result.models['good'].words:.1f} words" in shown
    assert {"today", "baseline"} <= set(shown)


def test_what_was_not_measured_has_no_picture(result):
    empty = {
        name: replace(model, words_per_second=None, decode_tokens_per_second=None)
        for name, model in result.models.items()
    }
    found = suite_pictures(replace(result, models=empty, tests=None, verdicts={}, baseline=None))
    assert [picture.name for picture in found] == [
        "rank-distribution",
        "mean-ranks",
        "words",
        "prefill-tokens-per-second",
        "time-to-first-token",
    ]


def test_one_model_has_no_ranks_to_show(result):
    alone = {"good": result.models["good"]}
    names = [picture.name for picture in suite_pictures(replace(result, models=alone, tests=None))]
    assert not {"mean-ranks", "rank-distribution", "critical-difference"} & set(names)


def test_a_value_that_is_missing_is_told():
    now = {"a": math.nan, "b": 2.0}
    bars = svg_text(draw_bars(now, {}, unit="x", decimals=1))
    marks = draw_marks({"a": Mark(math.nan), "b": Mark(1.5)}, {}, limits=(1, 2), label="rank")
    shares = svg_text(draw_shares({"a": {}, "b": {1.0: 3}}))
    assert "not measured" in texts(bars)
    assert "not measured" in texts(svg_text(marks))
    assert "not ranked" in texts(shares)
    nothing = {"a": {"b": math.nan}, "b": {"a": math.nan}}
    assert "mean rank, 1 is best" in texts(
        svg_text(draw_difference({"a": 1.0, "b": 2}, nothing, 0))
    )


def test_names_that_are_cut_stay_apart():
    long = "x" * 60
    shown = texts(
        svg_text(draw_difference({f"{long}1{long}": 1.0, f"{long}2{long}": 2.0}, {}, 0.05))
    )
    assert any(" (2)" in text for text in shown)


LONG = ("qwen2.5-1.5b-instruct-imatrix-final-Q4_K_M", "WWWWWWWW-MMMMMMMMM-WWWWWWWWWWWW-Q8_0")


def overlaps(figure):
    """Return pairs of texts of a figure that overlap, and texts that leave it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).draw()
    boxes = [
        (text.get_text(), text.get_tightbbox())
        for text in figure.findobj(match=Text)
        if text.get_visible() and text.get_text().strip()
    ]
    left = [name for name, box in boxes if box.x0 < -1 or box.x1 > figure.bbox.x1 + 1]
    pairs = [(a, b) for (a, one), (b, two) in combinations(boxes, 2) if one.overlaps(two)]
    return left, pairs


@pytest.mark.parametrize("names", [LONG, LONG[::-1]])
def test_long_names_stay_inside_and_end_before_their_values(names):
    marks = dict.fromkeys(names, Mark(-0.25, -0.75, 0.25))
    with style():
        for figure in (
            draw_marks(marks, {}, limits=(-1, 1), label="net", zero=0.0),
            draw_difference(dict(zip(names, (1.0, 2.0), strict=True)), {}, 0.05),
        ):
            assert overlaps(figure) == ([], [])
            shown = [text.get_text() for text in figure.findobj(match=Text)]
            assert any("Q4_K_M" in text for text in shown)
            assert any("Q8_0" in text for text in shown)


def test_net_preference_has_a_line_at_the_margin(result):
    with_margin = suite_pictures(replace(result, margin=0.4))[0]
    assert "a pass needs the interval above −0.4, the margin" in with_margin.description
    (axes,) = with_margin.figure.axes
    assert -0.4 in [line.get_xdata()[0] for line in axes.lines]
    assert axes.get_xlim()[0] < -0.4
    without = suite_pictures(result)[0]
    assert "margin" not in without.description
    assert -0.4 not in [line.get_xdata()[0] for line in without.figure.axes[0].lines]


def test_a_file_is_the_same_twice(result):
    first, second = (
        [svg_text(picture.figure) for picture in suite_pictures(result)] for _ in range(2)
    )
    assert first == second


def test_a_picture_in_a_page_needs_no_style_and_shares_no_id(pictures):
    ids = []
    for number, picture in enumerate(pictures.values()):
        svg = inline_svg(
            picture.figure, title=picture.title, description=HOSTILE, prefix=f"p{number}"
        )
        root = parse(svg)
        assert root.attrib["role"] == "img"
        assert texts(svg)[0] == picture.title
        for element in root.iter():
            assert "style" not in element.attrib
            assert element.tag.rpartition("}")[2] not in {"style", "script", "metadata"}
            ids += [element.attrib["id"]] if "id" in element.attrib else []
            for value in element.attrib.values():
                assert "#1b1f24" not in value
        for target in re.findall(r"(?:url\(|href=\")#([\w-]+)", svg):
            assert target in ids
    assert len(ids) == len(set(ids))


def test_a_name_cannot_be_markup(pictures):
    svg = inline_svg(pictures["words"].figure, title="t", description="d", prefix="p")
    assert "<script" not in svg
    assert "\x1b" not in svg
    assert any(text.startswith("$\\frac{x}$ <script>") for text in texts(svg))
