from __future__ import annotations

from pytest_raq.answering import EnginePool, ModelAnswers
from pytest_raq.config import load_model
from pytest_raq.engines import ScriptedEngine
from pytest_raq.progress import NoProgress
from pytest_raq.records import Question
from pytest_raq.speed.suite_speed import MachineSpeed, SpeedProbe
from pytest_raq.stats.speed import MACHINE, compare_machine, compare_speed, medians

QUESTIONS = [Question(f"q{n}", "", f"passage {n}", "What?", ("this",)) for n in range(3)]


def probe(tmp_path, text):
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")
    pool = EnginePool(lambda _model: ScriptedEngine(lambda _prompt: "said", model="m"))
    answers = ModelAnswers(
        load_model(tmp_path, "m"), QUESTIONS, pool=pool, store=None, progress=NoProgress()
    )
    made = SpeedProbe(answers, QUESTIONS)
    for _ in range(made.warmup_rounds + made.rounds):
        made.measure_accepted()
        made.measure()
    return made


def test_the_machine_is_timed_beside_a_model_that_runs_on_it(tmp_path):
    made = probe(tmp_path, 'file = "m.gguf"\nprompt = "{passage} {question}"\n')
    samples = made.samples()
    assert len(samples[MACHINE]) == made.rounds == 9
    assert min(samples[MACHINE]) > 0
    assert MACHINE not in medians(samples)
    assert compare_machine(samples, samples, seed=0).ratio == 1.0
    assert {item.measure for item in compare_speed(samples, samples)} == set(medians(samples))


def test_a_server_does_not_depend_on_this_machine(tmp_path):
    server = '[openai]\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    made = probe(tmp_path, f'engine = "openai"\nprompt = "{{passage}} {{question}}"\n{server}')
    samples = made.samples()
    assert MACHINE not in samples
    assert compare_machine(samples, samples, seed=0) is None


def test_a_baseline_without_the_machine_says_nothing_of_it():
    assert compare_machine({MACHINE: (1.0, 1.0)}, {"words_per_second": (2.0,)}, seed=0) is None


def test_the_machine_does_the_same_work_each_time():
    machine = MachineSpeed()
    assert all(machine.measure() > 0 for _ in range(3))
