"""``raq baseline``: what is accepted, and what changed, for people who review it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from accepted import make_baseline
from hypothesis import given
from hypothesis import strategies as st

from pytest_raq.baselines.file import save_baseline
from pytest_raq.cli import main
from pytest_raq.records import AcceptedSpeed, BaselineQuestion, JudgeIdentity
from pytest_raq.report.markdown.markup import EMPTY, cell, code, html_code


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def old(tmp_path):
    baseline = make_baseline(tmp_path, {"first": 3, "second": 5})
    save_baseline(tmp_path / "baselines", baseline)
    return baseline


@pytest.fixture
def new(tmp_path):
    return make_baseline(tmp_path, {"first": 3, "second": 15}, reason="smaller file")


def run(capsys, *arguments):
    code = main(["baseline", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def diff(capsys, old, new, *options):
    """Return the Markdown of a diff, or its JSON."""
    for name, baseline in (("old", old), ("new", new)):
        save_baseline(Path(name), baseline)
    code, out, err = run(capsys, "diff", "old/small.json", "new/small.json", *options)
    assert (code, err) == (0, "")
    return json.loads(out) if "--json" in options else out


def test_show_tells_what_was_accepted(capsys, old):
    code, out, err = run(capsys, "show", "small")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [
        "accepted 2026-01-02T03:04:05Z: first",
        "small: 20 questions in 4 passages, judge reference",
    ]
    assert re.search(r"^first +1\.45 .*0\.85 +0\.85 +1\.0", out, re.MULTILINE)
    assert "p, Holm-corrected" in out
    assert "first        decode tokens per second  51.000  3" in out
    assert f"fingerprint {old.provenance.fingerprint[:12]}" in out
    assert "machine: " in out


def test_show_as_json_and_by_file(capsys, old):
    code, out, _ = run(capsys, "show", "baselines/small.json", "--json", "-")
    table = json.loads(out)
    assert code == 0
    assert table["models"]["first"]["exact_match"] == pytest.approx(0.85)
    assert table["questions"]["q0"]["answers"] == {"first": "wrong", "second": "wrong"}
    assert len(table["questions"]) == len(old.questions)


def test_show_a_baseline_without_tests_and_speed(capsys, old, tmp_path):
    save_baseline(tmp_path / "baselines", replace(old, tests=None, speeds={}, reason=" "))
    code, out, _ = run(capsys, "show", "small")
    assert code == 0
    assert out.startswith("accepted 2026-01-02T03:04:05Z\n")
    assert "speed probe" not in out


def test_nothing_changed(capsys, old):
    out = diff(capsys, old, old)
    assert "| `second` | 0 of 20 | 0 of 20 |" in out
    assert "No answer changed." in out
    assert "No pair changed." in out
    assert out.endswith("### Provenance\n\nNothing changed.\n")


def test_a_diff_tells_answers_ranks_p_values_speed_and_provenance(capsys, old, new):
    fast, slow = (
        {"second": AcceptedSpeed(yardstick="y", ratios={"decode_tokens_per_second": ratios})}
        for ratios in ((0.51, 0.50, 0.52), (0.31, 0.30, 0.32))
    )
    out = diff(capsys, replace(old, accepted_speeds=fast), replace(new, accepted_speeds=slow))
    assert out.startswith("## Baseline `small`\n")
    assert "- new: `new/small.json`, accepted `2026-01-02T03:04:05Z`: `smaller file`" in out
    assert re.search(
        r"^\| `second` \| 10 of 20 \| 10 of 20 \| .*0\.750 → 0\.250", out, re.MULTILINE
    )
    assert "<summary><code>second</code>: 10 of 20 answers changed</summary>" in out
    assert "- `q7`, rank 1.5 → 2.0\n  - old: `right 7`\n  - new: `wrong`\n" in out
    assert "`first` – `second`: not separable → `first` better (Conover–Holm, p = " in out
    assert "| pair | Dunn | Conover | permutation |" in out
    told = r"\| decode tokens per second \| 0\.510 × yardstick \| 0\.310 × yardstick \| ×0\.61 \("
    assert re.search(told, out)
    assert "- `models.second.file_sha256`: `" in out


def test_a_diff_as_json(capsys, old, new):
    table = diff(capsys, old, new, "--json", "-")
    second = table["models"]["second"]
    assert second["answers_changed"] == second["ranks_changed"] == 10
    assert second["answers"]["q7"] == {
        "before": "right 7",
        "now": "wrong",
        "rank": {"before": 1.5, "now": 2.0},
    }
    assert second["figures"]["exact_match"] == {"before": 0.75, "now": 0.25}
    assert table["p_values"][0]["p_values"]["Dunn"]["now"] < 0.05
    assert table["standing"][0]["better_now"] == "first"
    assert table["unfair"] == ""
    assert table["same_machine"] is True


def test_long_lists_are_cut(capsys, old, new):
    out = diff(capsys, old, new, "--limit", "3")
    assert out.count("  - old: ") == 3
    assert "- and 7 more\n" in out


def test_what_does_not_compare_is_told(capsys, old, new):
    judged = replace(new.provenance, judge=JudgeIdentity("other"), machine={"cores": "99"})
    out = diff(capsys, old, replace(new, provenance=judged, questions=new.questions))
    assert "**The figures of the two cannot be compared:** `it was judged differently:" in out
    assert "The machines differ" in out
    assert "- `judge.name`: `reference` → `other`" in out
    assert "- `machine.cores`: `" in out
    assert "- `judge.options.rule`: `grades` → absent" in out


def test_models_and_questions_that_come_and_go_are_told(capsys, old, tmp_path):
    new = make_baseline(tmp_path, {"first": 3, "third": 0})
    questions = {f"x{name}": item for name, item in new.questions.items()}
    out = diff(capsys, old, replace(new, questions=questions))
    assert "- models added: 1 (`third`)" in out
    assert "- models removed: 1 (`second`)" in out
    assert "- questions added: 20 (`xq0`, " in out
    assert ", and 10 more)" in out
    assert "| `first` | 0 of 0 | 0 of 0 |" in out


def test_no_model_in_common(capsys, old, tmp_path):
    out = diff(capsys, old, make_baseline(tmp_path, {"third": 0}))
    assert "No model is in both." in out


HOSTILE = [
    "<script>alert(1)</script>",
    "</details></summary>",
    "@team please ![x](http://evil/x.png) [y](javascript:0)",
    "` `` ``` end `",
    "line\n\n# heading\n- item",
    "\x1b[31mred \u202e",
    "a | b",
]


@pytest.mark.parametrize("answer", HOSTILE)
def test_answers_and_reasons_cannot_become_markup(capsys, old, answer):
    question = BaselineQuestion({"first": answer, "second": answer}, {"first": 1.5, "second": 1.5})
    changed = replace(old, reason=answer, questions=old.questions | {"q9": question})
    out = diff(capsys, old, changed)
    bare = _without_code(out)
    assert "\x1b" not in out
    for part in ("script", "@team", "javascript", "heading", "end", "red", "a |"):
        assert part not in bare
    assert out.count("</details>") - out.count("</details></summary>") == 3
    assert all(line.startswith(("- ", "  - ")) for line in out.splitlines() if "old: `" in line)


def _without_code(text):
    """Remove code spans as CommonMark finds them."""
    lines = (re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", line) for line in text.splitlines())
    return "\n".join(lines)


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_a_code_span_holds_any_text(text):
    for made in (code(text), cell(text)):
        assert "\n" not in made
        assert made == EMPTY or _without_code(made) == ""
    assert "|" not in cell(text)
    assert html_code(text).count("<") == 2


def test_a_pretty_model_name_stays_in_its_cell():
    assert cell("a|b") == "`a¦b`"
    assert code("") == code("  ") == EMPTY
    assert html_code("<b>") == "<code>&lt;b&gt;</code>"


def git(*arguments):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


def test_a_revision_of_git_is_read(capsys, old, new, tmp_path):
    git("init", "-q")
    git("add", "baselines")
    git("commit", "-q", "-m", "accept")
    save_baseline(tmp_path / "baselines", new)
    code, out, _ = run(capsys, "diff", "HEAD:baselines/small.json", "small")
    assert code == 0
    assert "- old: `HEAD:baselines/small.json`, accepted `2026-01-02T03:04:05Z`: `first`" in out
    assert "| `second` | 10 of 20 |" in out
    assert old.reason == "first"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "HEAD:none.json",
            "HEAD:none.json: git does not find it: fatal: path 'none.json' does not",
        ),
        ("nowhere:x.json", "nowhere:x.json: git does not find it: fatal: "),
        ("HEAD:", "HEAD:: is not a file, a suite or REVISION:PATH"),
        ("HEAD:readme", "HEAD:readme:1: is not JSON"),
        (
            "small.json",
            "small.json: is not a file; give a file, the name of a suite, or REVISION:PATH",
        ),
        ("some/where", "some/where: is not a file; give a file"),
        ("smal", "smal: is not a file, and baselines has no baseline of that suite; it has small"),
        ("x" * 300, ".json: cannot be read: File name too long"),
    ],
)
@pytest.mark.usefixtures("old")
def test_what_is_not_there_is_told(capsys, spec, message):
    Path("readme").write_text("hello")
    git("init", "-q")
    git("add", "readme")
    git("commit", "-q", "-m", "start")
    code, out, err = run(capsys, "show", spec)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_no_folder_of_baselines(capsys):
    assert run(capsys, "show", "small") == (
        2,
        "",
        "raq: small: is not a file, and baselines has no baseline of that suite; it has none\n",
    )


@pytest.mark.parametrize(
    ("option", "value"), [("--alpha", "2"), ("--limit", "-1"), ("--alpha", "x")]
)
def test_a_wrong_option_is_told(capsys, option, value):
    with pytest.raises(SystemExit) as stop:
        main(["baseline", "diff", "a", "b", option, value])
    assert stop.value.code == 2
    assert f"{value!r} is no" in capsys.readouterr().err
