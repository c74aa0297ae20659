"""The likelihood test, its place in a verdict, and the likelihoods of real runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_projects import write_small_project

from pytest_raq.answering.suite_likelihoods import SuiteLikelihoods
from pytest_raq.baselines.file import load_baseline, save_baseline
from pytest_raq.cli import main
from pytest_raq.config import GateSettings
from pytest_raq.gate.likelihood import TruthEvidence, combine
from pytest_raq.records import Decision, Interval, LikelihoodEvidence, QualityEvidence, Verdict
from pytest_raq.report.json.result import suite_from_json, suite_to_json
from pytest_raq.running import Session, SessionOptions
from pytest_raq.stats.likelihood import likelihood_evidence, winsorise

GATE = GateSettings()
CLUSTERS = {f"q{n}": f"p{n // 2}" for n in range(40)}


def evidence(change, questions=40):
    now = {"m": {f"q{n}": 1.0 + change(n) for n in range(questions)}}
    before = {"m": {f"q{n}": 1.0 for n in range(questions)}}
    return likelihood_evidence(now, before, CLUSTERS)["m"]


def test_a_loss_in_every_passage_is_found():
    found = evidence(lambda n: 0.1 + 0.01 * (n % 3))
    assert (found.questions, found.passages) == (40, 20)
    assert found.difference == pytest.approx(0.11, abs=0.001)
    assert found.p_value == pytest.approx(0.5**20, rel=0.01)
    assert 0.09 < found.interval.low < found.difference < found.interval.high < 0.13
    assert (found.before, found.now) == (1.0, pytest.approx(1.11, abs=0.001))
    assert found.perplexity_ratio == pytest.approx(2 ** (found.now - found.before))


def test_a_gain_is_no_loss_and_nothing_is_nothing():
    assert evidence(lambda _: -0.1).p_value == 1.0
    same = evidence(lambda _: 0.0)
    assert (same.difference, same.p_value, same.interval) == (0.0, 1.0, Interval(0.0, 0.0))
    assert likelihood_evidence({"m": {"q1": 1.0}}, {}, CLUSTERS) == {}


def test_p_is_that_of_all_sign_flips():
    sums = np.array([0.3, -0.1, 0.25, 0.05, 0.4, -0.02])
    found = evidence(lambda n: float(sums[n // 2]) / 2, questions=12)
    flipped = [float(np.dot(signs, np.abs(sums))) for signs in product((-1, 1), repeat=6)]
    expected = np.mean([total >= sums.sum() - 1e-9 for total in flipped])
    assert found.p_value == pytest.approx(expected, abs=1e-6)


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=40), st.randoms())
def test_what_is_cut_does_not_depend_on_signs(values, random):
    column = np.array(values)
    signs = np.array([random.choice((-1, 1)) for _ in values])
    assert np.array_equal(winsorise(column) * signs, winsorise(column * signs))
    assert (np.abs(winsorise(column)) <= np.abs(column)).all()


def test_one_wild_question_is_cut_and_a_rare_loss_is_not_lost():
    assert evidence(lambda n: 50.0 if n == 3 else 0.01 * (n % 2)).difference < 50 / 40
    assert evidence(lambda n: 0.5 if n < 2 else 0.0).difference == pytest.approx(0.025)


def quality(net=0.0, low=-0.3):
    return QualityEvidence(10, 5, 1, 1, 8, net, Interval(low, 0.2), 0.5, 0.5, exact=True)


def likelihood(difference=0.0, low=-0.01, high=0.01, p=0.5, *, questions=10, passages=6):
    return LikelihoodEvidence(
        questions, passages, 1.0 + difference, 1.0, difference, Interval(low, high), p, p, 1.0
    )


LESS = likelihood(0.08, 0.05, 0.11, 0.001)
SAME = likelihood()
OPEN = likelihood(0.01, -0.05, 0.07)


@pytest.mark.parametrize(
    ("before", "found", "after"),
    [
        (Decision.INCONCLUSIVE, SAME, Decision.PASS),
        (Decision.INCONCLUSIVE, OPEN, Decision.INCONCLUSIVE),
        (Decision.INCONCLUSIVE, LESS, Decision.INCONCLUSIVE),
        (Decision.PASS, LESS, Decision.INCONCLUSIVE),
        (Decision.PASS, OPEN, Decision.PASS),
        (Decision.PASS, None, Decision.PASS),
        (Decision.REGRESSION, SAME, Decision.REGRESSION),
        (Decision.SUSPECT, SAME, Decision.SUSPECT),
        (Decision.UNCHANGED, LESS, Decision.UNCHANGED),
        (Decision.NO_BASELINE, SAME, Decision.NO_BASELINE),
        (Decision.NOT_MEASURED, SAME, Decision.NOT_MEASURED),
    ],
)
def test_likelihood_lets_pass_and_raises_doubt_and_never_condemns(before, found, after):
    verdict = Verdict("m", before, ("answers",), quality())
    combined = combine(verdict, TruthEvidence(found), GATE, expected=10)
    assert combined.decision is after
    shown = combine(
        verdict, TruthEvidence(found), GATE.model_copy(update={"likelihood": "show"}), expected=10
    )
    assert shown.decision is before
    if found is not None:
        assert combined.likelihood == shown.likelihood == found
        assert any("bits per byte" in reason for reason in shown.reasons)


def test_the_first_words_say_what_likelihood_decided():
    verdict = Verdict("m", Decision.PASS, ("answers",), quality())
    signs = {f"q{n}": (-1) ** n if n % 3 else 0 for n in range(40)}
    doubtful = combine(
        verdict, TruthEvidence(LESS), GATE, expected=10, preferences=signs, clusters=CLUSTERS
    )
    assert doubtful.reasons[0].startswith(
        "the truth has become less likely; ask more questions (answers alone need about "
    )
    assert (
        "to find a loss of 0.1): reference 1.000 → 1.080 bits per byte, +0.080"
        in (doubtful.reasons[0])
    )
    small = replace(verdict, decision=Decision.INCONCLUSIVE)
    passed = combine(small, TruthEvidence(SAME), GATE, expected=10)
    assert passed.reasons[0] == (
        "the truth is as likely as before: a loss of 0.05 bits per byte is ruled out"
        " (likelihood_margin)"
    )


@pytest.mark.parametrize(
    "truth",
    [
        TruthEvidence(likelihood(questions=9)),  # too few questions were scored
        TruthEvidence(likelihood(passages=5)),  # 1/32 is above pass_level
        TruthEvidence(SAME, lacks_anchor=True),
        TruthEvidence(SAME, OPEN),
        TruthEvidence(SAME, LESS),
    ],
)
def test_likelihood_lets_nothing_pass_that_it_did_not_see(truth):
    verdict = Verdict("m", Decision.INCONCLUSIVE, ("answers",), quality())
    assert combine(verdict, truth, GATE, expected=10).decision is Decision.INCONCLUSIVE


def test_likelihood_lets_no_model_pass_whose_answers_seem_to_have_lost_min_effect():
    verdict = Verdict("m", Decision.INCONCLUSIVE, ("answers",), quality(net=-0.05))
    found = combine(verdict, TruthEvidence(SAME), GATE, expected=10)
    assert found.decision is Decision.INCONCLUSIVE


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("likelihood")
    write_small_project(folder, "reader-llama", "reader-llama-f16.gguf")
    return folder


def session(folder, **options):
    return Session(
        SessionOptions(
            suites_folder=folder / "suites",
            models_folder=folder / "models",
            baselines_folder=folder / "baselines",
            store_path=folder / "store.db",
            suites=("small",),
            start=folder,
            **options,
        )
    )


@pytest.fixture(scope="module")
def accepted(project):
    """Accept a run; return its result."""
    opened = session(project, update=True)
    run = opened.run("small")
    run.verdict("reader")
    opened.finish()
    opened.close()
    return run.result()


def test_a_run_keeps_a_figure_for_each_question_and_measure(project, accepted):
    bits = accepted.models["reader"].reference_bits_per_byte
    assert 0 < bits < 2
    baseline = load_baseline(project / "baselines", "small")
    kept = [item.likelihood["reference"]["reader"] for item in baseline.questions.values()]
    assert np.mean(kept) == pytest.approx(bits, abs=1e-6)
    assert set(baseline.questions[accepted.questions[0].question.id].likelihood) == {
        "reference", "answer",
    }  # fmt: skip
    table = json.loads((project / "baselines/small.json").read_text())
    for item in table["questions"].values():
        del item["likelihood"]
    del table["models"]["reader"]["reference_bits_per_byte"]
    (project / "old").mkdir()
    (project / "old/small.json").write_text(json.dumps(table))
    old = load_baseline(project / "old", "small")
    assert old.models["reader"].reference_bits_per_byte is None
    save_baseline(project / "old", old)
    table = json.loads((project / "old/small.json").read_text())
    assert not any("likelihood" in question for question in table["questions"].values())


@pytest.mark.usefixtures("accepted")
def test_stored_likelihoods_need_no_model(project):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_raq.answering.engine_pool.open_engine", lambda *_: 1 / 0)
        again = session(project)
        run = again.run("small")
        verdict = run.verdict("reader")
        assert verdict.decision is Decision.UNCHANGED
        assert (verdict.likelihood.difference, verdict.likelihood.drift.flips) == (0.0, 0.0)
        again.close()
    table = suite_to_json(run.result())
    assert table["verdicts"]["reader"]["likelihood"]["interval"] == {"low": 0.0, "high": 0.0}
    read = suite_from_json("small", json.loads(json.dumps(table)))
    assert read.verdicts["reader"].likelihood == verdict.likelihood
    assert read.questions[0].reference_bits == run.result().questions[0].reference_bits


@pytest.mark.usefixtures("accepted")
def test_score_tells_likelihoods_without_answers(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    options = ("--store", "other.db")
    assert main(["score", "small", "reader", *options, "--json", "s.json"]) == 0
    out = capsys.readouterr().out
    assert "reader on small: 12 questions in 6 passages, nothing generated; against" in out
    (scored,) = json.loads((project / "s.json").read_text())["scores"]["files"]
    assert (scored["scored"], scored["word"]) == (12, "within the margin")
    assert abs(scored["evidence"]["difference"]) < 1e-5
    first = load_baseline(project / "baselines", "small").questions
    (project / "t.jsonl").write_text(json.dumps({"id": next(iter(first)), "answer": "Zanzibar"}))
    told = ["score", "small", "reader", *options, "--from", "t.jsonl", "--json", "s.json"]
    assert main(told) == 0
    (scored,) = json.loads((project / "s.json").read_text())["scores"]["files"]
    (text,) = scored["texts"]
    assert (text["text"], text["likelihood"]["bytes"]) == ("Zanzibar", 8)
    assert scored["bits_per_byte"] == pytest.approx(-text["likelihood"]["log_p"] / math.log(2) / 8)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "nobody", "text": "x"}', "--from: 'nobody' is no question of small"),
        ("{", "t.jsonl:1: is not an object with id and answer: correct the line"),
        ("", "t.jsonl: holds no text"),
    ],
)
def test_what_is_wrong_with_a_file_of_texts_is_told(project, monkeypatch, capsys, line, told):
    monkeypatch.chdir(project)
    (project / "t.jsonl").write_text(line)
    assert main(["score", "small", "reader", "--from", "t.jsonl"]) == 2
    assert told in capsys.readouterr().err


class Silent:
    """Stands for the likelihoods of a model."""

    def __init__(self, problem="", problems=None):
        self.problem, self.problems = problem, problems or {}


@pytest.mark.parametrize(
    ("found", "asked", "told"),
    [
        (Silent(), True, []),
        (Silent("not available here"), False, []),
        (
            Silent("not available here"),
            True,
            ["m: the likelihood of the references is not available here"],
        ),
        (Silent("it crashed"), False, ["m: no likelihood of the references: it crashed"]),
        (
            Silent(problems={"q1": "too long", "q2": "too long"}),
            False,
            ["m: texts of 2 questions have no likelihood, the first of q1: too long"],
        ),
    ],
)
def test_what_has_no_likelihood_is_told(found, asked, told):
    assert list(SuiteLikelihoods({"m": found}).notes(is_asked=asked)) == told
