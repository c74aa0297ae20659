"""Baseline files: a round trip, and damage of every kind told with line and field."""

from __future__ import annotations

import json
import math
import multiprocessing
from dataclasses import replace

import pytest
from accepted import make_baseline
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.baselines import file
from pytest_raq.baselines.file import load_baseline, parse_baseline, read_baseline, save_baseline
from pytest_raq.baselines.validation import line_of, path_at
from pytest_raq.errors import BaselineError, StoreError
from pytest_raq.records import Interval

REMEDY = "; restore it from git or accept again with --raq-update"


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    return make_baseline(tmp_path_factory.mktemp("made"), {"first": 3, "second": 5})


@pytest.fixture(scope="module")
def text(tmp_path_factory, baseline):
    path = save_baseline(tmp_path_factory.mktemp("saved"), baseline)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def table(text):
    return json.loads(text)


def refused(text):
    with pytest.raises(BaselineError) as caught:
        parse_baseline("small.json", text)
    message = str(caught.value)
    assert "\n" not in message
    return message


def edited(table, path, value):
    """Return the text of a table with one value changed."""
    copy = json.loads(json.dumps(table))
    *parents, last = path
    place = copy
    for part in parents:
        place = place[part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(copy, indent=1, sort_keys=True, ensure_ascii=False)


def test_a_baseline_survives_a_round_trip(tmp_path, baseline):
    save_baseline(tmp_path, baseline)
    loaded = load_baseline(tmp_path, "small")
    assert (
        save_baseline(tmp_path / "again", loaded).read_bytes()
        == (tmp_path / "small.json").read_bytes()
    )
    assert loaded.questions == baseline.questions
    assert loaded.provenance == baseline.provenance


def test_undefined_figures_survive_a_round_trip(tmp_path, baseline):
    model = replace(baseline.models["first"], interval=Interval(math.nan, math.nan), f1=None)
    save_baseline(
        tmp_path, replace(baseline, models=baseline.models | {"first": model}, tests=None)
    )
    loaded = load_baseline(tmp_path, "small").models["first"]
    assert math.isnan(loaded.interval.low)
    assert loaded.f1 is None


@given(answer=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_answer_survives_a_round_trip(tmp_path_factory, baseline, answer):
    question = replace(baseline.questions["q1"], answers={"first": answer, "second": "x"})
    folder = tmp_path_factory.mktemp("any")
    save_baseline(folder, replace(baseline, questions=baseline.questions | {"q1": question}))
    assert load_baseline(folder, "small").questions["q1"].answers["first"] == answer


def test_a_file_of_another_layout_is_read_too(table):
    one_line, wide = json.dumps(table), json.dumps(table, indent=4)
    assert parse_baseline("x", one_line).questions == parse_baseline("y", wide).questions


DAMAGE = [
    (("models", "first", "f1"), 7.0, "is 7; expected a share from 0 to 1"),
    (("models", "first", "f1"), "0.5", "input should be a valid number"),
    (("models", "first", "answered"), 2.5, "input should be a valid integer"),
    (("models", "first", "answered"), -1, "is -1; expected 0 or more"),
    (("models", "first", "model"), "other", "is 'other', but its key is 'first'"),
    (("models", "first", "wods"), 3, "is not a key of a baseline"),
    (("models", "first"), None, "input should be a"),
    (("questions", "q3", "answers", "first"), None, "input should be a valid string"),
    (("questions", "q3", "answers", "third"), "x", "is not among the models of the baseline"),
    (("questions", "q3", "answers", "first"), ..., "answers differ: one of them has no 'first'"),
    (("questions", "q3", "ranks", "first"), 3.0, "is 3; expected a rank from 1 to 2"),
    (("questions", "q3", "ranks", "first"), 1.5, "sum to 3.5; ranks of 2 answers sum to 3"),
    (("questions", "q3", "ranks", "first"), None, "input should be a valid number"),
    (("questions", "q3"), ..., "is 20, but the file has 19 questions"),
    (("provenance", "fingerprint"), ..., "field required"),
    (("provenance", "judge", "name"), 1, "input should be a valid string"),
    (("provenance", "models", "first"), ..., "has no 'first', which is in models"),
    (("tests", "dunn_holm", "first", "second"), 1.2, "is 1.2; expected a p-value from 0 to 1"),
    (
        ("tests", "conover_holm", "first", "second"),
        ...,
        "has no p-value of 'first' and 'second'",
    ),
    (("tests", "mean_ranks", "second"), ..., "has no 'second', which is in tests.models"),
    (("tests", "notes"), "none", "input should be a valid array"),
    (("speeds", "first", "decode_tokens_per_second"), [1.0, "2"], "input should be a valid number"),
    (("reason",), ["why"], "input should be a valid string"),
    (("extra",), 1, "is not a key of a baseline"),
]


@pytest.mark.parametrize(("path", "value", "message"), DAMAGE)
def test_a_hand_edit_that_breaks_it_is_told_with_line_and_field(table, path, value, message):
    if value == 1.5:  # the other rank of the question stays
        table = json.loads(json.dumps(table))
        table["questions"]["q3"]["ranks"]["second"] = 2.0
    text = edited(table, path, value)
    told = refused(text)
    assert message in told
    assert told.endswith(REMEDY)
    place, _, field = told.removeprefix("small.json:").partition(": ")
    if value is ...:
        assert int(place) >= 1
    else:
        head = path if message != "sum to 3.5; ranks of 2 answers sum to 3" else path[:-1]
        assert field.startswith(".".join(head))
        assert 0 <= int(place) - line_of(text, head) <= 2  # an element of a list is below it


def test_the_line_is_that_of_the_field(text):
    lines = text.splitlines()
    number = next(i for i, line in enumerate(lines) if '"right 7"' in line)
    lines[number] = lines[number].replace('"right 7"', "7")
    broken = "\n".join(lines)
    assert refused(broken).startswith(f"small.json:{number + 1}: questions.q7.answers.first: ")


@given(cut=st.floats(0, 0.999))
def test_a_truncated_file_is_told_wherever_it_ends(text, cut):
    rest = text[: int(len(text.rstrip()) * cut)]
    told = refused(rest)
    assert told.endswith(REMEDY)
    assert (
        told.startswith(f"small.json:{rest.count(chr(10)) + 1}: ")
        or "is empty" in told
        or (rest.endswith("\n") or rest[-1].isspace())
    )


def test_a_truncated_file_names_the_field(text):
    cut = text.index('"prompt_sha256"')
    assert refused(text[:cut]).startswith(
        f"small.json:{text.count(chr(10), 0, cut) + 1}: is not JSON: it is incomplete,"
        " near provenance.judge.options.rule;"
    )


def test_a_conflict_of_a_merge_is_told(text):
    broken = text.replace(' "format"', '<<<<<<< HEAD\n "format"', 1)
    line = broken[: broken.index("<<<")].count("\n") + 1
    assert refused(broken) == (
        f"small.json:{line}: has conflict marks of a git merge; choose one side, or restore it"
        " from git or accept again with --raq-update"
    )


def test_a_lost_comma_is_told(text):
    broken = text.replace('"format": 1,', '"format": 1', 1)
    assert "is not JSON near format: Expecting ',' delimiter" in refused(broken)


def test_what_json_does_not_know_is_told(text):
    broken = text.replace('"f1": 0.85', '"f1": NaN', 1)
    assert "models.first.f1: is NaN or infinite; write null" in refused(broken)


def test_a_key_that_stands_twice_is_told(text):
    broken = text.replace(' "format": 1,', ' "format": 1,\n "format": 1,', 1)
    line = broken[: broken.index('"format"')].count("\n") + 1
    assert refused(broken) == f"small.json:{line}: format: occurs twice{REMEDY}"


FORMATS = [
    (0, "is 0, older than 1, the format of this version; accept again with --raq-update"),
    (2, "is 2, newer than 1, the format of this version; update pytest-raq"),
    ("1", 'is "1"; expected 1' + REMEDY),
    (True, "is true; expected 1" + REMEDY),
    (None, "is missing; expected 1" + REMEDY),
    (..., "is missing; expected 1" + REMEDY),
]


@pytest.mark.parametrize(("value", "message"), FORMATS)
def test_another_format_is_named(table, value, message):
    text = edited(table, ("format",), value)
    line = line_of(text, ("format",))
    assert refused(text) == f"small.json:{line}: format: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "small.json:1: is empty" + REMEDY),
        ("[]", "small.json:1: is not a baseline: expected an object" + REMEDY),
        ("{}", "small.json:1: format: is missing; expected 1" + REMEDY),
        ("[" * 100_000, "small.json: cannot be read as JSON: "),
        ('{"format": ' + "9" * 5000 + "}", "small.json: cannot be read as JSON: "),
    ],
)
def test_what_is_no_baseline_is_told(text, message):
    assert refused(text).startswith(message)


def test_bytes_that_are_no_utf8_are_told(tmp_path, text):
    path = tmp_path / "small.json"
    path.write_bytes(text.encode().replace(b'"format"', b'"for\xffmat"'))
    line = text[: text.index('"format"')].count("\n") + 1
    with pytest.raises(BaselineError, match=rf"small.json:{line}: is not UTF-8; restore it"):
        load_baseline(tmp_path, "small")


def test_a_folder_in_the_place_of_the_file_is_told(tmp_path):
    (tmp_path / "small.json").mkdir()
    with pytest.raises(BaselineError, match=r"small.json: cannot be read: Is a directory"):
        load_baseline(tmp_path, "small")


def test_the_file_of_another_suite_is_told(tmp_path, baseline):
    save_baseline(tmp_path, baseline).rename(tmp_path / "large.json")
    with pytest.raises(BaselineError, match=r"suite is 'small', not 'large': the file belongs to"):
        load_baseline(tmp_path, "large")
    assert read_baseline(tmp_path / "large.json").suite == "small"


def test_no_file_is_no_baseline(tmp_path):
    assert load_baseline(tmp_path, "small") is None
    with pytest.raises(BaselineError, match=r"none.json: does not exist"):
        read_baseline(tmp_path / "none.json")


LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), st.text(max_size=3),
    st.just([]), st.just({}),
)  # fmt: skip


@given(data=st.data(), value=LEAVES)
def test_any_edit_is_read_or_refused_in_one_line(table, data, value):
    path, place = (), table
    while isinstance(place, dict | list) and place and data.draw(st.integers(0, 4)):
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        path += (data.draw(st.sampled_from(list(keys))),)
        place = place[path[-1]]
    if not path:
        return
    text = edited(table, path, value)
    try:
        parse_baseline("small.json", text)
    except BaselineError as exc:
        assert str(exc).startswith("small.json:")  # noqa: PT017 - some edits are fine
        assert "\n" not in str(exc)  # noqa: PT017


@given(st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.text(max_size=3), inner, max_size=3)), st.sampled_from([None, 1, 4]))  # fmt: skip
def test_places_are_found_in_any_layout(table, indent):
    text = json.dumps(table, indent=indent)
    paths = list(_paths(table))
    for path in paths:
        assert 1 <= line_of(text, path) <= text.count("\n") + 1
    if paths:
        assert path_at(text, len(text)) in paths


def _paths(value, path=()):
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield (*path, key)
            yield from _paths(item, (*path, key))


def _save_often(folder, baseline):
    for _ in range(20):
        save_baseline(folder, baseline)


def test_two_runs_that_update_at_once_leave_one_whole_file(tmp_path, baseline):
    context = multiprocessing.get_context("fork")
    writers = [
        context.Process(target=_save_often, args=(tmp_path, replace(baseline, reason=reason)))
        for reason in ("one", "two")
    ]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen = load_baseline(tmp_path, "small")
        assert seen is None or seen.reason in {"one", "two"}
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert load_baseline(tmp_path, "small").reason in {"one", "two"}
    assert [path.name for path in tmp_path.iterdir()] == ["small.json"]


HALF = "\ud83d"


def test_a_baseline_of_an_earlier_version_with_half_a_surrogate_pair_is_read(table):
    path = ("questions", "q3", "answers", "first")
    for answer, read in ((f"a{HALF}b", "a\ufffdb"), ("\ud83d\ude00", "😀")):
        text = edited(table, path, answer).encode(errors="backslashreplace").decode()
        assert "\\ud83d" in text
        assert parse_baseline("small.json", text).questions["q3"].answers["first"] == read


def test_a_reason_that_is_no_unicode_is_written_and_read(tmp_path, baseline):
    save_baseline(tmp_path, replace(baseline, reason="caf\udce9"))
    assert load_baseline(tmp_path, "small").reason == "caf\ufffd"


def test_what_no_later_run_could_read_is_not_written(tmp_path, baseline):
    path = save_baseline(tmp_path, baseline)
    before = path.read_bytes()
    wrong = replace(baseline.models["first"], f1=7.0)
    with pytest.raises(StoreError) as caught:
        save_baseline(tmp_path, replace(baseline, models=baseline.models | {"first": wrong}))
    assert str(caught.value).endswith(
        "models.first.f1: is 7; expected a share from 0 to 1: not written, because no later run"
        " could read it: correct that and accept again"
    )
    assert path.read_bytes() == before


def test_what_a_later_run_would_read_differently_is_not_written(tmp_path, baseline, monkeypatch):
    path = save_baseline(tmp_path, baseline)
    before = path.read_bytes()
    other = replace(baseline, reason="other")
    monkeypatch.setattr(file, "parse_baseline", lambda _where, _text: baseline)
    with pytest.raises(StoreError, match="a later run would read other values: report this"):
        save_baseline(tmp_path, other)
    assert path.read_bytes() == before
