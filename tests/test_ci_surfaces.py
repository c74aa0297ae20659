"""What a CI job reads: Markdown, JUnit properties, annotations, metrics."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from projects import Project
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from test_report import result, summary

from pytest_raq.plugin.checks import LIMIT, property_text
from pytest_raq.records import Decision, Verdict
from pytest_raq.report.markdown.markup import annotation_lines
from pytest_raq.report.markdown.suite import MOST_LETTERS, run_markdown
from pytest_raq.report.openmetrics import run_metrics

HOSTILE = (
    "</details></code><script>alert(1)</script> [x](http://evil) ![y](z) @all | `` ` ``\n"
    "## heading\x1b[31mred\x00\u202e]]> &amp; \" ' \ud800 ::error::x"
)
LONG = "x" * 100_000


@pytest.fixture
def project(pytester):
    return Project(pytester)


_PUBLISHED = {}
"""Made once: several tests look at the same files."""


@pytest.fixture
def published(project):
    """Return files and output of a run with a regression, and of one with hostile answers."""
    if not _PUBLISHED:
        project.accept()
        project.worse("second")
        told = project.run(
            *("--raq-markdown", "comment.md", "--raq-metrics", "metrics.txt"),
            *("--junit-xml", "run.xml"),
        )
        project.replies({"second": {f"q{n}": HOSTILE for n in range(14)}, "first": {"q1": LONG}})
        project.run("--raq-markdown", "hostile.md", "--junit-xml", "hostile.xml")
        names = ("comment.md", "metrics.txt", "run.xml", "hostile.md", "hostile.xml")
        _PUBLISHED.update({name: read(project, name) for name in names})
        _PUBLISHED["stdout"] = told.stdout.str()
    return _PUBLISHED


def regressed(project):
    """Run a suite whose second model answers otherwise than accepted."""
    project.accept()
    project.worse("second")
    return project.run()


def read(project, name):
    return (project.root / name).read_text(encoding="utf-8")


def test_markdown_has_the_table_first_and_the_worst_questions_folded(published):
    assert "\nMarkdown written to comment.md\n" in published["stdout"]
    lines = published["comment.md"].splitlines()
    assert lines[:6] == [
        "<!-- pytest-raq -->",
        "### `small`: 1 regression, 1 unchanged",
        "",
        "| model | verdict | net preference | p | mean rank | change | EM | F1 | contains | words/s | tok/s |",  # noqa: E501
        "| :-- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
        "| `first` | ✅ unchanged | 0.00 (−0.21 to 0.25) | 1.000 | 1.15 ±0.18 | −0.35 | 1.00 | 1.00 | 1.00 | 11.1 | 100 |",  # noqa: E501
    ]
    assert "| `second` | ❌ **regression** | −0.70 (−1.00 to −0.33) | 0.016 |" in "\n".join(lines)
    assert "20 questions in 10 passages, judge `reference`" in lines
    start = lines.index("<details><summary><code>second</code>: 14 questions got worse</summary>")
    assert lines[start + 2 : start + 6] == [
        "- `What is right about 0?`",
        "  - reference: `right 0`",
        "  - accepted: `right 0`",
        "  - today: `wrong`",
    ]
    assert "- and 4 more" in lines
    assert any(line.startswith("- `answers worse than the accepted ones on 14") for line in lines)
    assert lines.count("</details>") == 3  # with the settings of the gate


def test_the_summary_of_a_job_is_appended_to(project, monkeypatch):
    project.write("summary.md", "what another step wrote\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.root / "summary.md"))
    project.accept()
    text = read(project, "summary.md")
    assert text.startswith(
        "what another step wrote\n\n<!-- pytest-raq -->\n### `small`: no verdict"
    )
    project.run()
    assert read(project, "summary.md").startswith(text)
    assert "### `small`: 2 unchanged" in read(project, "summary.md")


def test_a_summary_that_cannot_be_written_fails_nothing(project, monkeypatch):
    project.accept()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.root / "no" / "summary.md"))
    told = project.run()
    assert told.ret == 0
    told.stdout.fnmatch_lines(
        ["GITHUB_STEP_SUMMARY *summary.md: cannot be written: No such file or directory"]
    )


def test_a_file_that_cannot_be_written_is_told_and_fails(project):
    project.accept()
    project.write("file", "")
    told = project.run("--raq-markdown", "file/comment.md")
    told.stdout.fnmatch_lines(["ERROR: *file/comment.md: cannot be written: *"])
    assert told.ret == 1


def test_hostile_answers_are_text_in_markdown(published):
    text = published["hostile.md"]
    assert not set("\x1b\x00\u202e") & set(text)
    hostile = [line for line in text.splitlines() if "alert(1)" in line]
    assert len(hostile) == 10
    assert all(line.startswith("  - today: ```</details>") for line in hostile)
    assert all(line.endswith("```") for line in hostile)
    assert "\n## heading" not in text


def test_markdown_stays_below_what_a_comment_holds():
    question = result(None).questions[0]
    models = {f"model-{number}": summary("m") for number in range(40)}
    long = result(
        None,
        models=models,
        verdicts={name: Verdict(name, Decision.REGRESSION, ("worse",)) for name in models},
        questions=tuple(
            question.__class__(
                question.question, dict.fromkeys(models, "x" * 100_000),
                dict.fromkeys(models, "y" * 100_000), {}, {}, dict.fromkeys(models, -1),
            )
            for _ in range(10)
        ),
    )  # fmt: skip
    text = run_markdown([long])
    assert len(text) <= MOST_LETTERS
    assert text.count("got worse") == 40
    assert "- and 7 more" in text


def test_no_suite_is_said_too():
    assert run_markdown([]) == "<!-- pytest-raq -->\nNo suite was run.\n"


def properties(text):
    """Return the properties of each test by its name."""
    return {
        case.get("name"): {item.get("name"): item.get("value") for item in case.iter("property")}
        for case in ET.fromstring(text).iter("testcase")  # noqa: S314 - our own
    }


def test_each_test_has_its_properties(published):
    found = properties(published["run.xml"])
    assert found["test_answer[small-second-q0]"] == {
        "raq_suite": "small",
        "raq_model": "second",
        "raq_question_id": "q0",
        "raq_answer": "wrong",
        "raq_exact_match": "0",
        "raq_f1": "0",
        "raq_contains": "0",
        "raq_words_per_second": "12.5",
    }
    assert found["test_ranking[small-q0]"] == {
        "raq_suite": "small",
        "raq_question_id": "q0",
        "raq_rank_first": "1",
        "raq_rank_second": "2",
    }
    assert float(found["test_speed[small-first]"]["raq_decode_tokens_per_second"]) == 100.0
    gate = found["test_gate[small-second]"]
    assert gate["raq_verdict"] == "regression"
    assert (gate["raq_net_preference"], gate["raq_worse"], gate["raq_better"]) == (
        "-0.7",
        "14",
        "0",
    )
    assert float(gate["raq_p_value"]) < 0.05
    assert gate["raq_reasons"].startswith("answers worse than the accepted ones on 14")


def test_a_failure_has_its_reason_as_a_property(project):
    project.replies({"first": {"q0": None}})
    project.run("--junit-xml", "run.xml", "-k", "first and q0")
    found = properties(read(project, "run.xml"))
    assert found["test_answer[small-first-q0]"]["raq_failure"] == "scripted failure"
    assert "raq_answer" not in found["test_answer[small-first-q0]"]


def test_hostile_and_long_answers_are_valid_xml(published):
    found = properties(published["hostile.xml"])
    shown = found["test_answer[small-second-q0]"]["raq_answer"]
    assert "<script>alert(1)</script>" in shown
    assert not set("\x1b\x00\u202e") & set(shown)
    assert len(found["test_answer[small-first-q1]"]["raq_answer"]) == LIMIT


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (float("nan"), None),
        ("", ""),
        (1 / 3, "0.333333"),
        (12, "12"),
        ("a\x1bb\ud800c\ufffed\u202ee\U0001f600", "a�b�c�d�e\U0001f600"),
        ("x" * 1001, "x" * 999 + "…"),
    ],
)
def test_text_of_a_property(value, text):
    assert property_text(value) == text


def test_annotations_are_escaped_as_github_does():
    verdict = Verdict("m,1", Decision.REGRESSION, ("100 % worse: a, b", "and\r\nslower"))
    (line,) = annotation_lines([result(verdict, verdicts={"m": verdict})])
    assert line == ("::error title=REGRESSION m%2C1 in mini::100 %25 worse: a, b%0Aand ⏎slower")
    undecided = Verdict("m", Decision.INCONCLUSIVE, ("why",))
    (line,) = annotation_lines([result(undecided)])
    assert line == "::warning title=INCONCLUSIVE m in mini::why"
    assert list(annotation_lines([result(Verdict("m", Decision.PASS, ("level",)))])) == []


def test_annotations_are_printed_in_github_actions_alone(project, monkeypatch):
    told = regressed(project)
    assert "::error" not in told.stdout.str()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    told = project.run()
    told.stdout.fnmatch_lines(
        ["::error title=REGRESSION second in small::answers worse than the accepted ones on 14*"]
    )
    project.run("--raq-anchor", "--raq-reason", "as wanted")
    assert "::error" not in project.run().stdout.str()


def families(text):
    return {family.name: family for family in text_string_to_metric_families(text)}


def test_metrics_are_valid_openmetrics(published):
    assert "\nmetrics written to metrics.txt\n" in published["stdout"]
    text = published["metrics.txt"]
    assert text.endswith("\n# EOF\n")
    found = families(text)
    assert found["raq_time_to_first_token_seconds"].unit == "seconds"
    values = {
        (name, sample.labels["model"]): sample.value
        for name, family in found.items()
        for sample in family.samples
        if "model" in sample.labels
    }
    assert values["raq_net_preference", "second"] == -0.7
    assert values["raq_f1", "first"] == 1.0
    assert values["raq_decode_tokens_per_second", "second"] == pytest.approx(100.0)
    verdicts = {
        sample.labels["raq_verdict"]: sample.value
        for sample in found["raq_verdict"].samples
        if sample.labels["model"] == "second"
    }
    assert verdicts == {item.value: float(item is Decision.REGRESSION) for item in Decision}
    (info,) = [s for s in found["raq_model"].samples if s.labels["model"] == "first"]
    assert info.name == "raq_model_info" and info.labels["file"] == "first.gguf"


def test_labels_are_escaped_and_what_was_not_measured_has_no_sample():
    name = 'a"b\\c\nd\x1b'
    verdict = Verdict(name, Decision.NOT_MEASURED, ("why",))
    text = run_metrics(
        [result(verdict, models={name: summary(name, f1=float("nan"))}, verdicts={name: verdict})],
        time=1.5,
    )
    found = families(text)
    assert "raq_f1" not in found
    assert found["raq_answered"].samples[0].labels["model"] == 'a"b\\c⏎d�'
    assert found["raq_run_timestamp_seconds"].samples[0].value == 1.5
    assert families(run_metrics([], time=0.0)).keys() >= {"raq_questions"}
