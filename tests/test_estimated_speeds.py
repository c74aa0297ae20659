"""Speeds counted in pieces, because a server told no tokens: marked, and never decisive."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from accepted import make_baseline

from pytest_raq.baselines.file import load_baseline, save_baseline
from pytest_raq.records import Answer, FinishReason, Question, Timing
from pytest_raq.report.words import decode_text
from pytest_raq.running.result import _estimates
from pytest_raq.speed.timed_model import OpenModel
from pytest_raq.speed.turns import TurnProbe
from pytest_raq.stats.model_summary import summarize
from pytest_raq.store.codec import answer_from, answer_to_payload, parse_payload


def test_a_speed_in_pieces_is_marked_and_decides_nothing():
    def answered(*, is_estimate):
        timing = Timing(
            generated_tokens=11, decode_seconds=0.5, total_seconds=1.0, is_estimate=is_estimate
        )
        return Answer("q", "remote", "x", FinishReason.STOP, timing)

    question = Question("q", "", "", "What?", ("x",))
    for is_estimate, shown in ((True, "~20"), (False, "20")):
        answer = answered(is_estimate=is_estimate)
        summary = summarize("remote", {"q": answer}, {"q": question})
        assert (summary.decode_tokens_per_second, summary.decode_is_estimate) == (20, is_estimate)
        assert decode_text(summary) == shown
        answers = SimpleNamespace(
            model=SimpleNamespace(engine="openai"), probe=lambda _, answer=answer: answer
        )
        probe = TurnProbe(OpenModel(answers), [question], {})
        probe.begin()
        for _ in range(probe.rounds):
            probe.before_round()
            probe.measure()
        probe.end()
        found = probe.measurement().samples
        assert ("decode_tokens_per_second" in found) is not is_estimate
        assert answer_from(parse_payload(answer_to_payload(answer)), "q", "remote") == answer


def test_a_run_says_which_speeds_are_estimates(tmp_path):
    summary = summarize("m", {}, {})
    estimated = replace(summary, decode_is_estimate=True)
    (note,) = _estimates({"m": estimated, "n": summary})
    assert note.startswith("decode tokens per second of m are an estimate (~)")
    baseline = make_baseline(tmp_path, {"m": 1})
    for given in (True, False):
        models = {"m": replace(baseline.models["m"], decode_is_estimate=given)}
        path = save_baseline(tmp_path, replace(baseline, models=models))
        assert ("decode_is_estimate" in path.read_text("utf-8")) is given
        assert load_baseline(tmp_path, "small").models["m"].decode_is_estimate is given
